"""Settings from an untrusted file: read by name and type, refused with a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.inert import kind_of, shown

LARGEST_WHOLE = 1 << 14
"""Wider than any network."""
_LARGEST = 1e9


@dataclass
class Settings:
    """A dictionary of an untrusted file, read as values of known types.

    Attributes:
        what: What the dictionary is, for messages.
        values: Its contents.
        asked: Keys that were read.
    """

    what: str
    values: Mapping[Any, Any]
    asked: set[str] = field(default_factory=set)

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number; without a default the key is required."""
        value = self._value(key, default)
        if type(value) not in (int, float) or not abs(value) <= _LARGEST:  # NaN is not
            raise self._unfit(key, value, "a number")
        return float(value)

    def optional_number(self, key: str, default: float | None) -> float | None:
        """Return a number or None."""
        self.asked.add(key)
        return None if self.values.get(key, default) is None else self.number(key, default)

    def positive(self, key: str, default: float | None = None) -> float:
        """Return a finite number above zero."""
        value = self.number(key, default)
        if value <= 0:
            raise self._unfit(key, value, "a number above 0")
        return value

    def whole(
        self,
        key: str,
        default: int | None = None,
        *,
        least: int = 0,
        most: int = LARGEST_WHOLE,
    ) -> int:
        """Return a whole number from `least` to `most`."""
        value = self._value(key, default)
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not least <= value <= most:
            raise self._unfit(key, value, f"a whole number from {least} to {most}")
        return value

    def optional_whole(self, key: str) -> int | None:
        """Return a whole number from 1, or None."""
        self.asked.add(key)
        return None if self.values.get(key) is None else self.whole(key, least=1)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._value(key, default)
        if type(value) is int and value in (0, 1):
            value = bool(value)
        if type(value) is not bool:
            raise self._unfit(key, value, "true or false")
        return value

    def numbers(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """Return as many finite numbers as the default has."""
        value = self._value(key, default)
        if type(value) not in (tuple, list) or len(value) != len(default):
            raise self._unfit(key, value, f"{len(default)} numbers")
        items = Settings(self.what, {f"{key}[{index}]": item for index, item in enumerate(value)})
        return tuple(items.number(name) for name in items.values)

    def word(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        value = self._value(key, default)
        if type(value) is not str:
            raise self._unfit(key, value, "a text")
        return value

    def within(self, key: str) -> Settings:
        """Return a dictionary inside this one; an empty one if it is absent."""
        value = self.values.get(key)
        self.asked.add(key)
        if value is None:
            value = {}
        if type(value) is not dict:
            raise self._unfit(key, value, "a table of settings")
        return Settings(key, value)

    def not_asked(self) -> list[str]:
        """Return the keys that were not read, for a message."""
        keys = [key if type(key) is str else "?" for key in self.values if key not in self.asked]
        return sorted(shown(key) for key in keys)

    def _value(self, key: str, default: Any) -> Any:
        self.asked.add(key)
        value = self.values.get(key, default)
        if value is None and default is None:
            raise UserError(f"its {self.what} lack '{key}'")
        return value

    def _unfit(self, key: str, value: Any, expected: str) -> UserError:
        said = repr(value) if type(value) in (bool, float) else kind_of(value)
        if type(value) is str:
            said = f"'{shown(value)}'"
        if type(value) is int:
            said = str(value) if abs(value) < 10**12 else "a huge number"
        return UserError(f"its {self.what} have {said} for '{key}'; expected {expected}")


def arguments_by_name(names: tuple[str, ...], positional: Any, named: Any) -> dict[Any, Any]:
    """Return a constructor's arguments as a dictionary.

    Args:
        names: Names of its parameters in order.
        positional: Tuple of the file, or None.
        named: Dictionary of the file, or None.

    Raises:
        UserError: They are something else.
    """
    positional = () if positional is None else positional
    named = {} if named is None else named
    if type(positional) not in (tuple, list) or type(named) is not dict:
        raise UserError("its constructor's arguments are not written as EG3D writes them")
    if len(positional) > len(names):
        raise UserError(f"its constructor has {len(positional)} positional arguments")
    return {**dict(zip(names, positional, strict=False)), **named}
