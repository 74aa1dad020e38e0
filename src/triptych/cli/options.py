"""Types and text formats that options of several verbs share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from triptych.errors import UserError, shown
from triptych.runs.device import DEVICES

# Options that may be left out; help shows the type of the value, and no default.
MaybeInt = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
MaybeFloat = Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")]
MaybeName = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
MaybePath = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
MaybeNames = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME ...]", help_behavior_hint="")]
MaybePaths = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="[PATH ...]", help_behavior_hint="")]
KeyValues = Annotated[
    tuple[str, ...], tyro.conf.arg(metavar="[KEY=VALUE ...]", help_behavior_hint="")
]

DeviceName = Annotated[
    str,
    tyro.conf.arg(
        metavar=DEVICES,
        help="Device that networks run on; auto: a GPU that works, else the CPU.",
    ),
]

SEED = r"[0-9]{1,1000}"
"""Seeds as people write them; what is out of range is refused later, with the reason."""

MOST_SEEDS = 1000


def parse_seeds(text: str) -> list[int]:
    """Return the seeds that a text such as "3", "0-7", "1,4,9" or "0-3,10" lists.

    Raises:
        UserError: The text has another form, a range runs backwards, or there are too many seeds.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(rf"\s*({SEED})(?:-({SEED}))?\s*", part)
        if match is None:
            raise UserError(f"seeds: got {shown(text)}; expected numbers such as 3 or 0-7 or 1,4,9")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise UserError(f"seeds: the range {part.strip()} runs backwards; write {last}-{first}")
        if len(seeds) + last - first >= MOST_SEEDS:
            raise UserError(f"seeds: got {shown(text)}; expected at most {MOST_SEEDS} of them")
        seeds |= dict.fromkeys(range(first, last + 1))
    return list(seeds)


def parse_key_values(settings: Iterable[str]) -> dict[str, Any]:
    """Return the values of KEY=VALUE texts by key; values that are not JSON stay texts.

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
    """Return values with changes applied; mappings are merged key by key."""
    return {
        **values,
        **{
            key: changed(values[key], value)
            if isinstance(value, dict) and isinstance(values.get(key), dict)
            else value
            for key, value in changes.items()
        },
    }
