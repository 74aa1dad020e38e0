"""A portrait of a generator puts on a style."""

from __future__ import annotations

import dataclasses

import torch

from triptych.config import to_dict
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.style_strength import FULL_STRENGTH, StyleStrength
from triptych.portrait.style_pack import StyledModel, StylePack
from triptych.portrait.triplane_portrait import TriPlanePortrait


@torch.no_grad()
def wearing(
    portrait: TriPlanePortrait,
    generator: TriPlaneGenerator,
    style: StylePack,
    model: StyledModel,
    strength: StyleStrength = FULL_STRENGTH,
) -> TriPlanePortrait:
    """Return a portrait in a style.

    Planes that are not those of the portrait's codes, such as a tuned generator's, keep their
    difference from them.

    Args:
        portrait: One that was made with the generator.
        generator: The generator.
        style: What it wears.
        model: The generator's name and hash.
        strength: How much of the style; at 0 the portrait is untouched, bit for bit.

    Raises:
        UserError: The style belongs to another generator.
    """
    style.check_model(model)
    provenance = {
        **portrait.provenance,
        "style": style.record(),
        "strength": to_dict(strength),
    }
    if strength.geometry == strength.appearance == 0:
        return dataclasses.replace(portrait, provenance=provenance)
    own = TriPlanePortrait.from_generator(generator, portrait.ws)
    styled = style.folded(generator, model, strength)
    worn = TriPlanePortrait.from_generator(styled, portrait.ws, provenance=provenance)
    if torch.equal(own.planes, portrait.planes):
        return worn
    return TriPlanePortrait.from_generator(
        styled,
        portrait.ws,
        planes=worn.planes + (portrait.planes - own.planes),
        provenance=provenance,
    )
