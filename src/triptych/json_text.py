"""JSON of files that others wrote: read within limits, or refused in one line."""

from __future__ import annotations

import json
from typing import Any

from triptych.errors import UserError

DEEPEST = 64
LONGEST_KEY = 512
LARGEST_INTEGER = 2**64


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        UserError: It is not JSON, nested deeper than any file of this package, or has longer keys
            or larger whole numbers. The message says what is wrong; the caller names the file.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise UserError(f"it is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise UserError(f"not valid JSON: {error}") from error
    check_plain(value)
    return value


def check_plain(value: Any) -> None:
    """Check the depth, the keys and the whole numbers of a JSON value.

    Raises:
        UserError: See `parse_json`.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                if any(len(key) > LONGEST_KEY for key in item):
                    raise UserError(f"it has a key of more than {LONGEST_KEY} letters")
                below += item.values()
            elif type(item) is list:
                below += item
            elif type(item) is int and not -LARGEST_INTEGER < item < LARGEST_INTEGER:
                raise UserError("it has a whole number of more than 64 bits")
        level = below
        if not level:
            return
    raise UserError(f"it is nested deeper than {DEEPEST} levels")
