"""All styles by name, and their combinations of two."""

from __future__ import annotations

from triptych.avatars.styles.creatures import creature_styles
from triptych.avatars.styles.materials import material_styles
from triptych.avatars.styles.monsters import monster_styles
from triptych.avatars.styles.people import people_styles
from triptych.avatars.styles.pictures import picture_styles
from triptych.avatars.styles.style import Kind, Style, can_combine, combine
from triptych.errors import UserError

__all__ = ["STYLES", "Kind", "Style", "can_combine", "combine", "combinations", "style_named"]

STYLES: dict[str, Style] = {
    style.name: style
    for style in (
        *material_styles(),
        *creature_styles(),
        *monster_styles(),
        *people_styles(),
        *picture_styles(),
    )
}


def combinations() -> list[tuple[str, str]]:
    """Return every pair of style names that can be combined, in the order of STYLES."""
    names = list(STYLES)
    return [
        (first, second)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
        if can_combine(STYLES[first], STYLES[second])
    ]


def style_named(name: str) -> Style:
    """Return a style, or the combination of two whose names are joined by a plus sign.

    Raises:
        UserError: A name is unknown or the two cannot be combined.
    """
    parts = [part.strip() for part in name.split("+")]
    unknown = [part for part in parts if part not in STYLES]
    if unknown or len(parts) > 2:
        wrong = unknown[0] if unknown else name
        raise UserError(
            f"style: got '{wrong}'; expected one or two (joined by '+') of {', '.join(STYLES)}"
        )
    first, *second = (STYLES[part] for part in parts)
    return combine(first, second[0]) if second else first
