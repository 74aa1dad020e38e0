"""Errors a user can act on: said once, in one line, with what was wrong and what mends it."""

from __future__ import annotations

import importlib
from types import ModuleType


class UserError(ValueError):
    """A mistake of the caller: bad input, bad file, bad option.

    The message names what was wrong, what was expected and what to do. The command line prints it
    on one line and leaves with exit code 2.
    """


class MissingDependency(UserError):
    """An optional package is not installed; the message holds the line that installs it."""


def import_optional(module: str, extra: str) -> ModuleType:
    """Import an optional module or say which extra of this package brings it.

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


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Say what a number should have been.

    Raises:
        UserError: `value` is not within `low`..`high` (both included), or is not a number.
    """
    if not low <= value <= high:
        raise UserError(f"{name}: got {value:g}; expected a number from {low:g} to {high:g}")
