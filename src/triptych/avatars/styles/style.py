"""Styles: changes of identity and appearance, or filters over the finished picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from triptych.avatars.people.appearance import Appearance
from triptych.avatars.people.identity import Identity
from triptych.errors import UserError

Kind = Literal["material", "creature", "people", "picture"]
Transform = Callable[[Identity, Appearance], tuple[Identity, Appearance]]

# Colours are applied last, and the more specific style overrides the more general one.
_ORDER: tuple[Kind, ...] = ("creature", "people", "material", "picture")

# Aspects of a head that a style determines.
ALL_COLOURS = frozenset({"skin colour", "hair colour", "lip colour"})


def unchanged(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Return a head unchanged: the transform of a style that only filters the picture."""
    return identity, appearance


@dataclass(frozen=True)
class Style:
    """A style of a head.

    Attributes:
        name: Its key in STYLES.
        kind: A material of the whole bust, a creature, a change of the person, or a picture.
        transform: Maps (identity, appearance) to the styled pair.
        picture_filter: Name of the filter (filters.FILTERS) laid over rendered pictures, or None.
        aspects: Aspects that it determines: "skin colour", "hair colour", "lip colour", "hair",
            "age", "beard", "expression".
        takes_colour: Whether the material can be combined with a colour ("blue marble").
        is_colour: Whether the material is only a colour ("blue stone").
    """

    name: str
    kind: Kind
    transform: Transform = field(default=unchanged, repr=False)
    picture_filter: str | None = None
    aspects: frozenset[str] = frozenset()
    takes_colour: bool = False
    is_colour: bool = False


def can_combine(first: Style, second: Style) -> bool:
    """Return whether two styles can be combined without one hiding the other."""
    kinds = {first.kind, second.kind}
    if kinds == {"material"}:
        plain, coloured = sorted((first, second), key=lambda style: style.is_colour)
        return coloured.is_colour and plain.takes_colour
    if kinds == {"creature"} or kinds == {"picture"} or first.name == second.name:
        return False
    if "people" in kinds or kinds == {"picture", "material"}:
        return not first.aspects & second.aspects
    return True


def combine(first: Style, second: Style) -> Style:
    """Return one style that applies both: creature, then person, then material, then filter.

    Raises:
        UserError: The two do not go together.
    """
    if not can_combine(first, second):
        raise UserError(
            f"styles '{first.name}' and '{second.name}' cannot be combined; "
            "combine two of different kinds, or two changes of a person that do not touch "
            "the same thing"
        )
    inner, outer = sorted((first, second), key=_place_in_order)

    def transform(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
        return outer.transform(*inner.transform(identity, appearance))

    return Style(
        name=f"{inner.name}+{outer.name}",
        kind=outer.kind,
        transform=transform,
        picture_filter=outer.picture_filter or inner.picture_filter,
        aspects=inner.aspects | outer.aspects,
    )


def _place_in_order(style: Style) -> tuple[int, bool]:
    return _ORDER.index(style.kind), style.is_colour
