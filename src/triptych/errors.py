"""Errors that a user can act on: one line with what was wrong and how to mend it."""

from __future__ import annotations

import importlib
import numbers
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

_LONGEST_SHOWN = 80


class UserError(ValueError):
    """A mistake of the caller: bad input, bad file, bad option.

    The message names what was wrong, what was expected and what to do. The command line prints it
    on one line and leaves with exit code 2. Texts of files and names may be part of it: what a
    terminal would obey instead of showing is escaped.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class FileNote(UserWarning):
    """What a person should know of a file that is used nevertheless; the command line notes it."""


class MissingDependency(UserError):
    """An optional package is not installed; the message holds the line that installs it."""


def import_optional(module: str, extra: str) -> ModuleType:
    """Import an optional module; the error names the extra of this package that installs it.

    Args:
        module: Dotted module name, for instance "mediapipe".
        extra: Name of the extra in pyproject.toml, for instance "photo".

    Raises:
        MissingDependency: The module cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"the package '{module}' is needed for this and could not be imported ({error}); "
            f'install it with: pip install "triptych[{extra}]"'
        ) from error


def check_range(name: str, value: Any, low: float, high: float) -> None:
    """Check that a value is a number within a range.

    Raises:
        UserError: `value` is not a number, or not within `low`..`high` (both included).
    """
    if not _is_a(numbers.Real, value) or not low <= value <= high:
        expected = f"a number from {_limit(low)} to {_limit(high)}"
        raise UserError(f"{name}: got {shown(value)}; expected {expected}")


def check_whole(name: str, value: Any, low: int, high: int, why: str = "") -> None:
    """Check that a value is a whole number within a range.

    Args:
        name: What the message calls the value.
        value: The value.
        low: The least.
        high: The largest.
        why: The reason for the range, where it is not plain.

    Raises:
        UserError: `value` is not an integer (7.0, "7" and True are none), or not within
            `low`..`high` (both included).
    """
    if not _is_a(numbers.Integral, value) or not low <= value <= high:
        expected = f"a whole number from {low} to {high}" + (f" ({why})" if why else "")
        raise UserError(f"{name}: got {described(value)}; expected {expected}")


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Check that a value is one of several words.

    Raises:
        UserError: `value` is none of the choices.
    """
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise UserError(f"{name}: got {shown(value)}; expected one of {', '.join(known)}")


def check_type(name: str, value: Any, *kinds: type) -> None:
    """Say what type a value should have had.

    Raises:
        UserError: `value` is of none of the types.
    """
    if not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise UserError(f"{name}: got {described(value)}; expected {expected}")


def described(value: Any) -> str:
    """Return what messages say of a value of a wrong type: plain values as they are, 7.0 too."""
    if isinstance(value, float):
        return str(value)
    if value is None or isinstance(value, str | bytes | numbers.Number | Path):
        return shown(value)
    return f"a value of type {type(value).__name__}"


def shown(value: Any) -> str:
    """Return what messages show of a value: one short line, whatever it is."""
    try:
        text = str(value) if _is_a(numbers.Real, value) else repr(value)
        if isinstance(value, float) and float(f"{value:g}") == value:
            text = f"{value:g}"  # 181 rather than 181.0, where nothing is rounded
    except Exception:  # a number of 5,000 digits, an object that cannot be printed
        return f"a value of type {type(value).__name__}"
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "..."


def printable(text: str) -> str:
    """Return a text with escapes in place of what does not print: controls, lone surrogates.

    Line ends stay: messages that are tables have several lines.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )


def _is_a(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _limit(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
