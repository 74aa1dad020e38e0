"""3DpSp's losses: the picture, and its mirror image as a second view of the same head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from triptych.config import check_fields
from triptych.metrics.identity import IdentityFeatures, identity_similarity
from triptych.metrics.perceptual import PerceptualDistance
from triptych.ops.view_pair import ViewPair

MirroredPairing = Literal["published", "corrected"]


@dataclass(frozen=True)
class InversionWeights:
    """Weights of the terms; the defaults are the published ones.

    Attributes:
        l2: Squared error of the picture.
        identity: One minus the cosine of identity features.
        perceptual: Perceptual distance.
        second_l2, second_identity, second_perceptual: The same for the second view.
        mirrored_pairing: What the perceptual distance of the second view compares. The published
            code takes the first view's reconstruction ("published"), by mistake; "corrected" takes
            the second's.
    """

    l2: float = 1.0
    identity: float = 0.4
    perceptual: float = 0.5
    second_l2: float = 1.0
    second_identity: float = 0.4
    second_perceptual: float = 0.5
    mirrored_pairing: MirroredPairing = "corrected"

    def __post_init__(self) -> None:
        terms = ("l2", "identity", "perceptual")
        names = (*terms, *(f"second_{term}" for term in terms))
        check_fields(self, **{name: (0, 1e6) for name in names})


def trusted_square_error(pred: Tensor, true: Tensor, uncertainty: Tensor | None = None) -> Tensor:
    """Return the mean squared error [], each position divided by its uncertainty plus one.

    Args:
        pred: Images [b, c, h, w].
        true: Images of the same shape.
        uncertainty: unsup3d's map [b, h, w], at least 0 and larger where the mirror image is less
            certain; None weighs all positions alike.
    """
    per_position = (pred - true).square().mean(dim=1)
    if uncertainty is not None:
        per_position = per_position / (uncertainty + 1)
    return per_position.mean()


def inversion_loss(
    first: ViewPair,
    second: ViewPair | None,
    perceptual: PerceptualDistance,
    identity: IdentityFeatures | None,
    weights: InversionWeights,
    *,
    uncertainty: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of one step and its terms before they are weighted.

    Args:
        first: The target's own view.
        second: The mirrored picture and the reconstruction from the mirrored camera, or another
            known view of the same head; None leaves its terms out.
        perceptual: Distance of images.
        identity: Features of people; None leaves these terms out, as do views that are not whole.
        weights: Of the terms; those of weight 0 are not computed.
        uncertainty: Of the second view; see `trusted_square_error`.

    Reference: 3DpSp's training code (README: "pSp with mirrored images").
    """
    terms: dict[str, tuple[float, Tensor]] = {
        "l2": (weights.l2, trusted_square_error(first.pred, first.true))
    }
    if weights.perceptual:
        terms["perceptual"] = (weights.perceptual, perceptual(first.pred, first.true).mean())
    if weights.identity and identity is not None and first.whole:
        similarity = identity_similarity(identity, first.pred, first.true)
        terms["identity"] = (weights.identity, 1 - similarity.mean())
    if second is not None:
        error = trusted_square_error(second.pred, second.true, uncertainty)
        terms["second_l2"] = (weights.second_l2, error)
        if weights.second_perceptual:
            pred = first.pred if weights.mirrored_pairing == "published" else second.pred
            distance = perceptual(pred, second.true).mean()
            terms["second_perceptual"] = (weights.second_perceptual, distance)
        if weights.second_identity and identity is not None and second.whole:
            similarity = identity_similarity(identity, second.pred, second.true)
            terms["second_identity"] = (weights.second_identity, 1 - similarity.mean())
    loss = torch.stack([weight * term for weight, term in terms.values()]).sum()
    return loss, {name: term for name, (_, term) in terms.items()}
