"""Frozen dataclass configurations to JSON dictionaries and back, strictly."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from triptych.errors import UserError, check_range, shown

T = TypeVar("T")
_LARGEST = sys.float_info.max


def to_dict(config: Any) -> dict[str, Any]:
    """Return the configuration as plain JSON values (tuples become lists)."""
    return {
        field.name: _to_json(getattr(config, field.name)) for field in dataclasses.fields(config)
    }


def from_dict(cls: type[T], data: Any) -> T:
    """Build a configuration from JSON values.

    Args:
        cls: A dataclass type; nested dataclasses, optionals, literals and tuples are understood.
        data: Values by field name; absent fields take their defaults.

    Raises:
        UserError: It is no object, a key is unknown (the closest known one is suggested) or a value
            does not fit; numbers must be finite.
    """
    if not isinstance(data, Mapping):
        raise UserError(f"{cls.__name__}: got {shown(data)}; expected an object")
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; known keys: {', '.join(known)}"
            raise UserError(f"unknown key {shown(key)} in {cls.__name__}{hint}")
    values = {
        key: _from_json(hints[key], value, f"{cls.__name__}.{key}") for key, value in data.items()
    }
    try:
        return cls(**values)
    except TypeError as error:
        raise UserError(f"{cls.__name__} is incomplete: {error}") from error


def check_fields(config: Any, **ranges: tuple[float, float]) -> None:
    """Check a configuration that was built by hand: types of all fields, ranges of some.

    Args:
        config: A dataclass; to be called from its `__post_init__`.
        **ranges: Smallest and largest value by field name; for a tuple, those of each of its items.
            None and words are within every range.

    Raises:
        UserError: A field has the wrong type or is out of its range.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value, where = getattr(config, field.name), f"{type(config).__name__}.{field.name}"
        _from_json(hints[field.name], value, where)
        if field.name in ranges and value is not None and not isinstance(value, str):
            for number in value if isinstance(value, tuple) else (value,):
                check_range(where, number, *ranges[field.name])


def _to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, (tuple, list)):
        return [_to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    return value


def _from_json(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _from_union(arguments, value, where)
    if origin is typing.Literal:
        if not isinstance(value, str) or value not in arguments:
            raise UserError(
                f"{where}: got {shown(value)}; expected one of {', '.join(map(repr, arguments))}"
            )
        return value
    if origin is tuple:
        return _from_sequence(arguments, value, where)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, typing.cast(type, hint)):
            return value
        if not isinstance(value, Mapping):
            raise UserError(f"{where}: got {shown(value)}; expected an object")
        return from_dict(typing.cast(type, hint), value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise UserError(f"{where}: got {shown(value)}; expected an object")
        return dict(value)
    return _scalar(hint, value, where)


def _from_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None:
        if type(None) in options:
            return None
        raise UserError(f"{where}: a value is required")
    problems = []
    for option in options:
        if option is type(None):
            continue
        try:
            return _from_json(option, value, where)
        except UserError as error:
            problems.append(str(error))
    raise UserError(problems[0])


def _from_sequence(items: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise UserError(f"{where}: got {shown(value)}; expected a list")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_from_json(items[0], item, where) for item in value)
    if len(items) != len(value):
        raise UserError(f"{where}: got {len(value)} values; expected {len(items)}")
    return tuple(_from_json(hint, item, where) for hint, item in zip(items, value, strict=True))


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not -_LARGEST <= value <= _LARGEST:
            raise UserError(f"{where}: got {shown(value)}; expected a finite number")
        return float(value)
    if isinstance(hint, type):
        wrong_bool = isinstance(value, bool) and hint is not bool
        if wrong_bool or not isinstance(value, hint):
            raise UserError(f"{where}: got {shown(value)}; expected {hint.__name__}")
    return value
