"""Arrays and scalars of numpy in a pickle, as numpy 1 and numpy 2 write them."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np

from triptych.errors import UserError
from triptych.weights.untrusted.inert import Bytes, Stateful
from triptych.weights.untrusted.limits import MAX_DIMENSIONS, is_size
from triptych.weights.untrusted.pickle_state import NOT_ANSWERED, KnownCall, PickleContext

_PLAIN_TYPE = re.compile(r"[biufc][1248]|c16")
_ROOTS = ("numpy.core", "numpy._core")


class NumpyType(Stateful):
    """A type of array elements; only plain numbers can be read.

    Args:
        code: As numpy writes it, for instance "f4".
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.byte_order: Literal["<", ">", "|", "="] = "="

    def set_state(self, state: Any) -> None:
        """Take the byte order: the second item of the state."""
        if type(state) is tuple and len(state) >= 5 and state[1] in ("<", ">", "|", "="):
            self.byte_order = state[1]
            if state[3] is not None or state[4] is not None:
                self.code = "structured"

    def dtype(self) -> np.dtype[Any]:
        """Return the type.

        Raises:
            UserError: It is not one of plain numbers.
        """
        try:
            if _PLAIN_TYPE.fullmatch(self.code):
                return np.dtype(self.code).newbyteorder(self.byte_order)
        except TypeError:
            pass
        raise UserError("an array in the file does not hold plain numbers")


class NumpyArray(Stateful):
    """An array whose contents are left in the file."""

    def __init__(self, shape: Any = (0,), kind: Any = None, content: Any = b"") -> None:
        self.shape = shape
        self.kind = kind
        self.content = content
        self.order = "C"

    def set_state(self, state: Any) -> None:
        """Take (version, shape, type, whether columns come first, content)."""
        if type(state) is tuple and len(state) == 5:
            _, self.shape, self.kind, by_columns, self.content = state
            self.order = "F" if by_columns is True or by_columns == 1 else "C"

    def array(self) -> np.ndarray:
        """Return the array, read-only where it lies in the file.

        Raises:
            UserError: It is not one of plain numbers, or its shape is not that of its contents.
        """
        content = self.content
        if type(content) is str:  # from Python 2, whose bytes arrive as text
            content = content.encode("latin-1", "replace")
        if not (isinstance(self.kind, NumpyType) and isinstance(content, Bytes)):
            raise UserError("an array in the file does not hold plain numbers")
        if type(self.shape) is not tuple or len(self.shape) > MAX_DIMENSIONS:
            raise UserError("an array in the file has an impossible shape")
        if not all(is_size(size) for size in self.shape):
            raise UserError("an array in the file has an impossible shape")
        dtype = self.kind.dtype()
        count = math.prod(self.shape)
        if count * dtype.itemsize != len(content):
            raise UserError(
                f"an array in the file claims {count:,} numbers of {dtype.itemsize} bytes; "
                f"it has {len(content):,} bytes"
            )
        flat = np.frombuffer(content, dtype) if count else np.empty(0, dtype)
        return flat.reshape(self.shape, order="F" if self.order == "F" else "C")


def _reconstruct(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    return NumpyArray()


def _from_buffer(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    """An array as protocol 5 writes it."""
    if len(arguments) != 4:
        return NOT_ANSWERED
    content, kind, shape, order = arguments
    found = NumpyArray(shape, kind, content)
    found.order = "F" if order == "F" else "C"
    return found


def _type(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    if not arguments or type(arguments[0]) is not str:
        return NOT_ANSWERED
    return NumpyType(arguments[0])


def _scalar(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    """A single number, as a plain Python one."""
    if len(arguments) != 2 or not isinstance(arguments[0], NumpyType):
        return NOT_ANSWERED
    return NumpyArray((), *arguments).array().item()


NUMPY_CALLS: dict[str, KnownCall] = {
    "numpy.dtype": _type,
    **{f"{root}.multiarray._reconstruct": _reconstruct for root in _ROOTS},
    **{f"{root}.multiarray.scalar": _scalar for root in _ROOTS},
    **{f"{root}.numeric._frombuffer": _from_buffer for root in _ROOTS},
}
