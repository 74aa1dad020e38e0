"""Which seeds there are."""

from __future__ import annotations

from typing import Any

from triptych.errors import check_whole

LAST_SEED = 2**32 - 1
"""Seeds have 32 bits, as EG3D's scripts and most programs take them."""

LAST_AVATAR_SEED = 99_999
"""Seeds of avatars end here for users; larger ones belong to training."""


def check_seed(name: str, seed: Any) -> None:
    """Raise UserError unless a value is a seed: a whole number from 0 to `LAST_SEED`."""
    check_whole(name, seed, 0, LAST_SEED, "seeds have 32 bits")


def check_seeds_from(name: str, first: Any, count: int) -> None:
    """Raise UserError unless `count` seeds in a row, from the first one on, are seeds."""
    check_seed(name, first)
    check_seed(f"{name} + {count - 1}", first + count - 1)
