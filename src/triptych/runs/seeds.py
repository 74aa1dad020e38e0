"""Lists of seeds as people write them: 0-7 or 1,4,9."""

from __future__ import annotations

import re

from triptych.errors import UserError

MOST_SEEDS = 1000


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of a text such as "3", "0-7", "1,4,9" or "0-3,10".

    Raises:
        UserError: It is none of these, a range runs backwards, or there are too many.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        if match is None:
            raise UserError(f"seeds: got '{text}'; expected numbers such as 3 or 0-7 or 1,4,9")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise UserError(f"seeds: the range {part.strip()} runs backwards; write {last}-{first}")
        if len(seeds) + last - first >= MOST_SEEDS:
            raise UserError(f"seeds: got '{text}'; expected at most {MOST_SEEDS} of them")
        seeds |= dict.fromkeys(range(first, last + 1))
    return list(seeds)
