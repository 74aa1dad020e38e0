"""Inert records: they replace everything that an untrusted file names, calls or points to."""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from triptych.errors import UserError

_LONGEST_SHOWN = 80
_TEXT_CHUNK = 1 << 20
Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True)
class GlobalName:
    """A class or function that the file names; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return shown(f"{self.module}.{self.name}")


class Stateful(ABC):
    """A record that takes the state that a pickle sets on an object after its creation."""

    __slots__ = ()

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Keep the state."""


@dataclass(eq=False, slots=True)
class InertObject(Stateful):
    """An object that was not created: the call in the file and its arguments.

    Attributes:
        callee: The function or class in the file, mostly a `GlobalName`.
        arguments: Positional arguments.
        keywords: Named arguments.
        state: Argument of the object's `__setstate__`.
        items: Values that the file appends to it.
        pairs: Items that the file sets in it, as (key, value).
    """

    callee: Any
    arguments: tuple[Any, ...] = ()
    keywords: dict[Any, Any] | None = None
    state: Any = None
    items: list[Any] | None = None
    pairs: list[tuple[Any, Any]] | None = None

    def set_state(self, state: Any) -> None:
        """Keep the state."""
        self.state = state

    @property
    def module(self) -> str:
        """Module of the callee; empty where that is not a plain name."""
        return self.callee.module if isinstance(self.callee, GlobalName) else ""

    @property
    def name(self) -> str:
        """Name of the callee; empty where that is not a plain name."""
        return self.callee.name if isinstance(self.callee, GlobalName) else ""


@dataclass(frozen=True, eq=False, slots=True)
class OpaqueKey:
    """A dictionary key that no checkpoint needs (long, nested, huge): it is never hashed."""

    key: Any


@dataclass(frozen=True, eq=False, slots=True)
class LongText:
    """Text that is left undecoded in the file.

    Attributes:
        content: Its bytes.
        encoding: What they are written in.
    """

    content: memoryview
    encoding: str

    def encode(self, encoding: str) -> bytearray:
        """Return the text in another encoding, a piece at a time, so that memory stays flat.

        Raises:
            UserError: It is not text, or cannot be written in that encoding.
        """
        decoder = codecs.getincrementaldecoder(self.encoding)("surrogatepass")
        encoded = bytearray()
        try:
            for start in range(0, len(self.content), _TEXT_CHUNK):
                piece = bytes(self.content[start : start + _TEXT_CHUNK])
                encoded += decoder.decode(piece).encode(encoding)
            encoded += decoder.decode(b"", True).encode(encoding)
        except (UnicodeError, LookupError) as error:
            raise UserError("a text in the file is not text") from error
        return encoded


def as_key(value: Any) -> Any:
    """Return a dictionary key that is quick to hash: short scalars as they are, others wrapped.

    Nested tuples can take exponential time to hash, and chosen large numbers all hash alike.
    """
    if value is None or type(value) in (str, bool):
        return value
    if type(value) is int and -(2**31) <= value < 2**32:
        return value
    return OpaqueKey(value)


def shown(text: str) -> str:
    """Return text of a file as it may appear in a message: short, printable, harmless."""
    printable = ascii(text[: 2 * _LONGEST_SHOWN])[1:-1]
    cut = len(printable) > _LONGEST_SHOWN or len(text) > 2 * _LONGEST_SHOWN
    return printable[:_LONGEST_SHOWN] + ("..." if cut else "")


def kind_of(value: Any) -> str:
    """Return the kind of a value, for a message, without showing its contents."""
    if isinstance(value, GlobalName):
        return f"the name {value}"
    if isinstance(value, InertObject):
        return f"a {value.callee}" if isinstance(value.callee, GlobalName) else "an object"
    return f"a {type(value).__name__}"
