"""Identity of a synthetic head: named weights of shape, expression, hair and dress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from triptych.errors import UserError
from triptych.models.attribute_schema import (
    ASYMMETRY_DIM,
    FACE_DIM,
    GARMENTS,
    HAIR_STYLES,
    Attributes,
)
from triptych.models.attributes import attributes_from_seed

if TYPE_CHECKING:
    from triptych.avatars.assets.pack import HeadAssets, MorphControls

EYE_SCALE_BIAS = 0.42  # slightly large eyes are much more appealing than true ones
DETAIL_SPREAD = 0.20  # above 0.3 faces turn to caricature
DETAIL_LIMIT = 0.7
ASYMMETRY_SPREAD = 0.10
EAR_SHAPES = ("pointed", "round", "square", "triangle")

# The face numbers of the attributes reach the many detail morphs through one fixed random mixing.
_MIXING_SEED = 77


@dataclass(frozen=True)
class Identity:
    """Everything about a head except its colours.

    Every field may be overridden with `dataclasses.replace`; `with_details` and `with_ear_shapes`
    override single morph weights.

    Attributes:
        attributes: Attributes of which the identity and its default appearance are derived.
        gender: 0 woman .. 1 man.
        ancestry: Weights (african, asian, caucasian), sum 1.
        age: 0 baby, 0.1875 child, 0.5 young adult, 1 old.
        weight: 0 thin .. 1 heavy.
        muscle: 0 .. 1.
        details: Weight of each detail morph, about -1.5..1.5; absent means 0.
        outlines: Weight of each head outline, 0..1.
        ear_shapes: Weight by "pointed", "round", "square", "triangle", 0..1.5.
        asymmetry: Weight of each asymmetry morph.
        smile: 0..1.
        brow_raise: Negative frowns, positive raises, about -1..1.
        mouth_open: 0..1.
        lids_open: Extra opening of the upper lids, 0..1.
        expressions: Weight of further expression units, such as "mouth-pursing".
        gaze: Turn of the eyes (yaw, pitch) in radians, added to a glance at the front camera.
        hair_style: One of attributes.HAIR_STYLES.
        hair_volume: Swelling of the hair about the head centre, 0..0.1.
        hair_length: Factor on hair below the eyes, 0.6..1.2.
        hair_wave: Size of the waves in long hair, 0..1.
        fringe_lift: 1 compresses the fringe above the brows, 0 leaves it over the eyes.
        hair_mirrored: Part the hair on the other side.
        beard: 0 none .. 1 full.
        goatee: 0 whole beard .. 1 chin and moustache only.
        lashes: Show upper lash cards.
        garment: One of attributes.GARMENTS, or None for bare shoulders.
        horns: Size of horns on the forehead, 0 none .. 1.
        tusks: Size of tusks beside the lower lip, 0 none .. 1.
        fangs: Size of fangs below the upper lip, 0 none .. 1.
    """

    attributes: Attributes
    gender: float
    ancestry: tuple[float, ...]
    age: float
    weight: float
    muscle: float
    details: Mapping[str, float]
    outlines: Mapping[str, float]
    ear_shapes: Mapping[str, float]
    asymmetry: Mapping[str, float]
    smile: float
    brow_raise: float
    mouth_open: float
    gaze: tuple[float, ...]
    hair_style: str
    hair_volume: float
    hair_length: float
    hair_wave: float
    beard: float
    goatee: float
    lashes: bool
    garment: str | None
    lids_open: float = 0.28
    expressions: Mapping[str, float] = field(default_factory=dict)
    fringe_lift: float = 1.0
    hair_mirrored: bool = False
    horns: float = 0.0
    tusks: float = 0.0
    fangs: float = 0.0

    def __post_init__(self) -> None:
        if self.hair_style not in HAIR_STYLES:
            raise UserError(
                f"hair_style: got {self.hair_style!r}; expected one of {', '.join(HAIR_STYLES)}"
            )
        if self.garment is not None and self.garment not in GARMENTS:
            raise UserError(f"garment: got {self.garment!r}; expected one of {', '.join(GARMENTS)}")
        unknown = sorted(set(self.ear_shapes) - set(EAR_SHAPES))
        if unknown:
            raise UserError(f"ear_shapes: got {unknown[0]!r}; expected {', '.join(EAR_SHAPES)}")

    def with_details(self, weights: Mapping[str, float]) -> Identity:
        """Return the identity with these detail morph weights, the others unchanged."""
        return replace(self, details={**self.details, **weights})

    def with_ear_shapes(self, weights: Mapping[str, float]) -> Identity:
        """Return the identity with exactly these ear shape weights, the others zero."""
        return replace(self, ear_shapes=dict(weights))


def identity_from_attributes(attributes: Attributes, controls: MorphControls) -> Identity:
    """Return the identity that attributes describe.

    Args:
        attributes: The person.
        controls: The shape controls of the asset pack (`assets.controls`).
    """
    rng = np.random.default_rng(_MIXING_SEED)
    face_mixing = _unit_rows(rng.normal(size=(len(controls.details), FACE_DIM)))
    asymmetry_mixing = _unit_rows(rng.normal(size=(len(controls.asymmetries), ASYMMETRY_DIM)))
    details = {
        name: float(weight)
        for name, weight in zip(
            controls.details,
            DETAIL_SPREAD * (face_mixing @ np.array(attributes.face)),
            strict=True,
        )
    }
    details["eyes/eye-scale"] = details.get("eyes/eye-scale", 0.0) + EYE_SCALE_BIAS
    details = {
        name: float(np.clip(weight, -DETAIL_LIMIT, DETAIL_LIMIT))
        for name, weight in details.items()
    }
    asymmetry = ASYMMETRY_SPREAD * (asymmetry_mixing @ np.array(attributes.asymmetry))
    return Identity(
        attributes=attributes,
        gender=attributes.gender,
        ancestry=attributes.ancestry,
        age=attributes.age,
        weight=attributes.weight,
        muscle=attributes.muscle,
        details=details,
        outlines=dict(zip(controls.outlines, attributes.outline, strict=True)),
        ear_shapes=dict(zip(EAR_SHAPES, attributes.ears, strict=True)),
        asymmetry={
            name: float(weight)
            for name, weight in zip(controls.asymmetries, asymmetry, strict=True)
        },
        smile=attributes.smile,
        brow_raise=attributes.brow_raise,
        mouth_open=attributes.mouth_open,
        gaze=attributes.gaze,
        hair_style=attributes.hair_style,
        hair_volume=attributes.hair_volume,
        hair_length=attributes.hair_length,
        hair_wave=attributes.hair_wave,
        beard=attributes.beard,
        goatee=attributes.goatee,
        lashes=attributes.gender < 0.5 and attributes.age > 0.3,
        garment=attributes.garment,
    )


def identity_from_seed(seed: int, assets: HeadAssets) -> Identity:
    """Return the identity of a seed."""
    return identity_from_attributes(attributes_from_seed(seed), assets.controls)


def _unit_rows(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
