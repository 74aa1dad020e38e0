"""Options of a configuration written as KEY=VALUE."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from triptych.errors import UserError


def parse_key_values(settings: Iterable[str]) -> dict[str, Any]:
    """Return values by key; a value is JSON where it can be read as such, else a text.

    Raises:
        UserError: A setting is not KEY=VALUE, or a key comes twice.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise UserError(f"--set: got '{setting}'; expected KEY=VALUE")
        if key in values:
            raise UserError(f"--set: '{key}' is given twice")
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    return values


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with some changed; where both are mappings, only what is named in them."""
    return {
        **values,
        **{
            key: changed(values[key], value)
            if isinstance(value, dict) and isinstance(values.get(key), dict)
            else value
            for key, value in changes.items()
        },
    }
