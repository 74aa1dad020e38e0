"""Changes of identity and appearance that several styles share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from triptych.avatars.people.appearance import (
    Appearance,
    BrowAppearance,
    HairAppearance,
    Rgb,
    hair_appearance,
)
from triptych.avatars.people.identity import Identity


def shifted(identity: Identity, weights: Mapping[str, float]) -> Identity:
    """Add to detail morph weights, so that the person stays recognisable."""
    return identity.with_details(
        {name: identity.details.get(name, 0.0) + weight for name, weight in weights.items()}
    )


def dyed(appearance: Appearance, rgb: Rgb) -> HairAppearance:
    """Return the hair of an appearance in another linear colour."""
    return hair_appearance(rgb, scalp_cover=appearance.hair.scalp_cover)


def black_brows(brows: BrowAppearance) -> BrowAppearance:
    """Return black brows of full strength."""
    return replace(brows, rgb=(0.006, 0.006, 0.007), strength=1.1)


def blend(start: Rgb, end: Rgb, share: float) -> Rgb:
    """Mix two colours; share 0 gives the first, 1 the second."""
    red, green, blue = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    return (red, green, blue)


def scaled(rgb: Rgb, factor: float) -> Rgb:
    """Return a colour darkened or lightened by a factor."""
    return (factor * rgb[0], factor * rgb[1], factor * rgb[2])
