"""Shape of a head: base mesh plus ancestry, build, detail and expression morphs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets
from triptych.avatars.people.identity import Identity
from triptych.errors import UserError

FloatArray = NDArray[np.float64]

ANCESTRIES = ("african", "asian", "caucasian")
CHILD_AGE, YOUNG_AGE = 0.1875, 0.5
_NEGLIGIBLE = 1e-4
# Details are milder on small children, whose faces differ less.
_CHILD_DETAIL_SHARE = 0.6
# The macro targets alone keep children adult-looking once the eyes are aligned.
_CHILDLIKE = {
    "eyes/eye-scale": 0.40,
    "nose/nose-scale-vert": -0.40,
    "nose/nose-scale-horiz": -0.30,
    "nose/nose-scale-depth": -0.40,
    "chin/chin-height": -0.40,
    "chin/chin-width": -0.20,
    "chin/chin-prominent": -0.40,
    "neck/neck-scale-horiz": -0.30,
}


def morphed_base(identity: Identity, assets: HeadAssets) -> FloatArray:
    """Return the base mesh [19158, 3] of an identity, in decimetres, not yet placed."""
    vertices = assets.base.copy()
    for name, weight in morph_weights(identity, assets):
        target = assets.targets.get(name)
        if target is not None and abs(weight) > _NEGLIGIBLE:
            vertices[target.vertex_ids] += weight * target.offsets
    return vertices


def morph_weights(identity: Identity, assets: HeadAssets) -> Iterator[tuple[str, float]]:
    """Yield target names and weights; some names of the product scheme have no target."""
    yield from _macro_weights(identity)
    yield from _detail_weights(identity, assets)
    yield from _expression_weights(identity)


def childlikeness(age: float) -> float:
    """Return 1 for small children falling to 0 at the age 0.36."""
    return float(np.clip((0.36 - age) / 0.16, 0.0, 1.0))


def _macro_weights(identity: Identity) -> Iterator[tuple[str, float]]:
    ages = _age_shares(identity.age)
    genders = {"male": identity.gender, "female": 1.0 - identity.gender}
    muscles = _three_shares(identity.muscle, "muscle")
    weights = _three_shares(identity.weight, "weight")
    for gender, gender_share in genders.items():
        for age, age_share in ages.items():
            share = gender_share * age_share
            for ancestry, ancestry_share in zip(ANCESTRIES, identity.ancestry, strict=True):
                yield f"macro/{ancestry}-{gender}-{age}", share * ancestry_share
            for muscle, muscle_share in muscles.items():
                for weight, weight_share in weights.items():
                    name = f"univ/{gender}-{age}-{muscle}-{weight}"
                    yield name, share * muscle_share * weight_share


def _age_shares(age: float) -> dict[str, float]:
    if age < CHILD_AGE:
        return {"baby": 1.0 - age / CHILD_AGE, "child": age / CHILD_AGE}
    if age < YOUNG_AGE:
        grown = (age - CHILD_AGE) / (YOUNG_AGE - CHILD_AGE)
        return {"child": 1.0 - grown, "young": grown}
    aged = (age - YOUNG_AGE) / (1.0 - YOUNG_AGE)
    return {"young": 1.0 - aged, "old": aged}


def _three_shares(value: float, kind: str) -> dict[str, float]:
    return {
        f"min{kind}": max(0.0, 1.0 - 2.0 * value),
        f"average{kind}": 1.0 - abs(2.0 * value - 1.0),
        f"max{kind}": max(0.0, 2.0 * value - 1.0),
    }


def _detail_weights(identity: Identity, assets: HeadAssets) -> Iterator[tuple[str, float]]:
    childlike = childlikeness(identity.age)
    share = 1.0 - (1.0 - _CHILD_DETAIL_SHARE) * childlike
    details = {name: share * weight for name, weight in identity.details.items()}
    for name, weight in _CHILDLIKE.items():
        details[name] = details.get(name, 0.0) + childlike * weight
    ears = {f"ears/ear-shape-{name}": weight for name, weight in identity.ear_shapes.items()}
    for name, weight in {**details, **identity.outlines, **ears}.items():
        control = assets.control_targets.get(name)
        if control is None:
            raise _unknown_control(name, assets)
        for target in control.positive if weight > 0.0 else control.negative:
            yield target, abs(weight)
    for name, weight in identity.asymmetry.items():
        yield f"{name}-{'l' if weight > 0.0 else 'r'}", abs(weight)


def _unknown_control(name: str, assets: HeadAssets) -> UserError:
    close = difflib.get_close_matches(name, assets.control_targets, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return UserError(f"details: got {name!r}, which is no shape control{hint}")


def _expression_weights(identity: Identity) -> Iterator[tuple[str, float]]:
    brows = "up" if identity.brow_raise > 0.0 else "down"
    units = {
        "mouth-corner-puller": 0.8 * identity.smile,
        "mouth-open": 0.5 * identity.mouth_open,
    }
    for side in ("left", "right"):
        units[f"eyebrows-{side}-{brows}"] = abs(identity.brow_raise)
        units[f"eye-{side}-slit"] = 0.05 * identity.smile
        units[f"eye-{side}-opened-up"] = identity.lids_open
    for name, weight in identity.expressions.items():
        units[name] = units.get(name, 0.0) + weight
    for ancestry, share in zip(ANCESTRIES, identity.ancestry, strict=True):
        for name, weight in units.items():
            yield f"expr/{ancestry}/{name}", share * weight
