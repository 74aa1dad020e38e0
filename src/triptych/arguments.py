"""Arguments of public functions: of the types that the annotations say, or one error.

`checked` is put above a public function. A wrong type is then a `UserError` that names the argument
before anything is computed; ranges and shapes are for the function itself to check.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

from triptych.errors import UserError, described

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    type(None): "None",
    Sequence: "a sequence",
    Iterable: "a sequence",
    Mapping: "a mapping",
    Callable: "a function",
}


def checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Check the arguments of every call of a function against its annotations.

    A whole number passes for a number, NumPy's numbers for Python's; True is no number. Tuples may
    be lists, and sequences of numbers may be arrays. A device must be there.
    """
    signature = inspect.signature(function)

    @functools.cache
    def hints() -> dict[str, Any]:
        written = inspect.unwrap(function)
        annotated = dict(written.__annotations__)
        annotated.pop("return", None)  # it may name what only type checkers import
        parameters = types.SimpleNamespace(__annotations__=annotated)
        return typing.get_type_hints(parameters, globalns=written.__globals__)

    @functools.wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)  # Python's own error names what is missing or unknown
        for name, hint in hints().items():
            if name in given:
                check_argument(name, given[name], hint)
        return function(*args, **kwargs)

    return call


def check_argument(name: str, value: Any, hint: Any) -> None:
    """Check one argument.

    Args:
        name: What the message calls it.
        value: What was given.
        hint: The annotation, resolved.

    Raises:
        UserError: The value is of another type, or a device that is not there.
    """
    if not _fits(value, hint):
        raise UserError(f"{name}: got {described(value)}; expected {_expected(hint)}")
    if _names_device(hint):
        _check_device(name, value)


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is typing.Literal:
        return isinstance(value, str) and value in inner
    if hint in (int, float):
        kind = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if origin is tuple and inner[-1] is not Ellipsis:
        alike = isinstance(value, list | tuple) and len(value) == len(inner)
        return alike and all(map(_fits, value, inner))
    if origin in (Sequence, tuple):
        return _is_sequence_of(inner[0], value)
    kind = origin or hint
    return isinstance(value, kind)


def _is_sequence_of(item: Any, value: Any) -> bool:
    if item in (int, float) and hasattr(value, "tolist"):
        value = value.tolist()
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return is_sequence and all(_fits(one, item) for one in value)


def _expected(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_expected(one) for one in inner)
    if origin is typing.Literal:
        return f"one of {', '.join(inner)}"
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"{len(inner)} values, each {_expected(inner[0])}"
    if origin in (Sequence, Iterable, tuple):
        return f"a sequence, each {_expected(inner[0])}"
    kind = origin or hint
    return _NAMES.get(kind) or str(getattr(kind, "__name__", kind))


def _names_device(hint: Any) -> bool:
    return any(getattr(one, "__name__", "") == "device" for one in get_args(hint))


def _check_device(name: str, device: Any) -> None:
    """Raise UserError unless torch can put something on a device."""
    import torch

    try:
        torch.empty(0, device=device)
    except (
        Exception
    ) as error:  # RuntimeError, AssertionError, ImportError: each backend has its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{name}: got {described(device)}, which torch cannot use here ({reason}); expected a "
            "device that it finds"
        ) from error
