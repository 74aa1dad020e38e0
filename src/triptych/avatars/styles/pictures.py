"""Styles that show a head as a drawing, painting or photograph."""

from __future__ import annotations

from dataclasses import replace

from triptych.avatars.people.appearance import Appearance
from triptych.avatars.people.identity import Identity
from triptych.avatars.styles.adjustments import shifted
from triptych.avatars.styles.style import ALL_COLOURS, Style, Transform, unchanged

# Name, filter, whether the colours of the head are lost.
_PICTURES: tuple[tuple[str, str, bool], ...] = (
    ("pencil sketch", "pencil", True),
    ("charcoal drawing", "charcoal", True),
    ("black and white photo", "black_and_white", True),
    ("sepia photo", "sepia", True),
    ("cartoon", "cartoon", False),
    ("oil painting", "oil", False),
    ("watercolour", "watercolour", False),
    ("pop art", "pop_art", True),
    ("pixel art", "pixel_art", False),
    ("sand painting", "sand", True),
)


def picture_styles() -> list[Style]:
    """Return every kind of picture."""
    transforms: dict[str, Transform] = {"cartoon": _cartoon_character}
    return [
        Style(
            name=name,
            kind="picture",
            transform=transforms.get(name, unchanged),
            picture_filter=filter_name,
            aspects=ALL_COLOURS if loses_colours else frozenset(),
        )
        for name, filter_name, loses_colours in _PICTURES
    ]


def _cartoon_character(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Very large eyes, small nose and chin, plain skin: drawn by a cartoonist."""
    shape = shifted(
        identity,
        {
            "eyes/eye-scale": 1.0,
            "eyes/eye-height2": 0.5,
            "nose/nose-scale-vert": -0.6,
            "nose/nose-scale-horiz": -0.5,
            "nose/nose-scale-depth": -0.4,
            "chin/chin-width": -0.6,
            "cheek/cheek-volume": 0.4,
            "mouth/mouth-scale-horiz": -0.3,
        },
    )
    skin = replace(
        appearance.skin,
        mottle=0.0,
        freckles=0.0,
        sockets=0.1,
        wrinkles=0.3 * appearance.skin.wrinkles,
    )
    eyes = replace(
        appearance.eyes, iris_radius=0.64, pupil=0.5, veins=0.0, sclera_rgb=(0.95, 0.95, 0.95)
    )
    return replace(shape, smile=max(identity.smile, 0.6)), replace(appearance, skin=skin, eyes=eyes)
