"""The losses of both published training stages: renders of a student against a teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from triptych.config import check_fields
from triptych.metrics.identity import IdentityFeatures, identity_similarity
from triptych.metrics.perceptual import PerceptualDistance
from triptych.render.rendering import Rendering


@dataclass(frozen=True)
class DistillationWeights:
    """Weights of the terms; the defaults are those of 3DPE's training script.

    Attributes:
        planes: L1 of planes.
        colour: L1 of final and of raw images.
        perceptual: Perceptual distance of both.
        depth: L1 of depth.
        features: L1 of rendered features.
        identity: One minus the cosine of identity features of final images.
        adversarial: The student's part of the adversarial loss.
        r1: The discriminator's gradient penalty, over two.
    """

    planes: float = 1.0
    colour: float = 1.0
    perceptual: float = 2.0
    depth: float = 0.5
    features: float = 0.0
    identity: float = 0.0
    adversarial: float = 0.025
    r1: float = 1.0

    def __post_init__(self) -> None:
        names = ("planes", "colour", "perceptual", "depth", "features", "identity", "adversarial")
        check_fields(self, **{name: (0, 1e6) for name in (*names, "r1")})

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum [] of the terms that are there, by their names here."""
        return torch.stack([getattr(self, name) * term for name, term in terms.items()]).sum()


def live3d_weights() -> DistillationWeights:
    """Return the weights of Live3D's training, the first stage."""
    return DistillationWeights(
        planes=0.3, perceptual=0.8, depth=1.0, features=1.0, identity=0.1, r1=10.0
    )


def view_terms(
    pred: Rendering,
    target: Rendering,
    weights: DistillationWeights,
    perceptual: PerceptualDistance,
    identity: IdentityFeatures | None = None,
) -> dict[str, Tensor]:
    """Return the terms of one view, each []; those of weight 0 are left out.

    Args:
        pred: The student's renders.
        target: The teacher's renders from the same cameras.
        weights: Which terms are needed.
        perceptual: Compares final images, and raw ones where those differ from them.
        identity: Compares final images; needed where its weight is not 0.
    """
    terms = {}
    pairs = ((pred.image, target.image), (pred.image_raw, target.image_raw))
    if weights.colour:
        terms["colour"] = torch.stack([functional.l1_loss(*pair) for pair in pairs]).sum()
    if weights.perceptual:
        terms["perceptual"] = torch.stack([perceptual(*pair).mean() for pair in pairs]).sum()
    if weights.depth:
        terms["depth"] = functional.l1_loss(pred.depth, target.depth)
    if weights.features:
        terms["features"] = functional.l1_loss(pred.features, target.features)
    if weights.identity and identity is not None:
        terms["identity"] = (1 - identity_similarity(identity, *pairs[0])).mean()
    return terms
