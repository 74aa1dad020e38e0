"""PStyle-3D's losses of the generator with its style encoder, and of the discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.config import check_fields
from triptych.nn.arcface import INPUT_SIZE
from triptych.nn.discriminator import DualDiscriminator
from triptych.ops.resize import resize
from triptych.systems.adapt.normalised_vgg import TAPS

IdentityCrop = Literal["published", "corrected"]
GradientPenalty = Literal["published", "eg3d"]

_CROP_SIZE = 256
_ROWS, _COLUMNS = slice(35, 223), slice(32, 220)
_VARIANCE_FLOOR = 1e-5
DENSITY_NOISE = 0.004
"""Standard deviation of the shift between the two points of each pair of the density loss."""


@dataclass(frozen=True)
class StyleLossWeights:
    """Weights of the terms; the defaults are the published ones.

    Attributes:
        adversarial: Non-saturating loss of the discriminator's scores.
        content: Squared difference of relu4_1 features to the unstyled render.
        style: Squared difference of feature means and deviations to the artwork.
        density: Difference of the density between near points.
        identity: One minus the cosine of identity features to the unstyled render.
        r1: Gradient penalty of the discriminator.
    """

    adversarial: float = 0.7
    content: float = 1.0
    style: float = 1.0
    density: float = 0.1
    identity: float = 0.5
    r1: float = 5.0

    def __post_init__(self) -> None:
        names = ("adversarial", "content", "style", "density", "identity", "r1")
        check_fields(self, **{name: (0, 1e6) for name in names})

    def generator_total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum [] of the terms that are there, by their names here."""
        return torch.stack([getattr(self, name) * term for name, term in terms.items()]).sum()


def content_loss(features: Mapping[str, Tensor], reference: Mapping[str, Tensor]) -> Tensor:
    """Return the mean squared difference [] of relu4_1 features, which keep places."""
    return F.mse_loss(features["relu4_1"], reference["relu4_1"])


def channel_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation [b, c] over the positions of maps [b, c, h, w].

    Reference: Huang and Belongie, AdaIN (2017): an unbiased variance with 1e-5 under the root.
    """
    variance, mean = torch.var_mean(features.flatten(2), dim=2)
    return mean, (variance + _VARIANCE_FLOOR).sqrt()


def style_losses(
    features: Mapping[str, Tensor], artwork: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the style loss [] of each tap: squared differences of channel means and deviations.

    Args:
        features: Taps of the stylised render; see `NormalisedVGG.taps`.
        artwork: Taps of the example picture, of any size.
    """
    found = {}
    for tap in TAPS:
        mean, deviation = channel_statistics(features[tap])
        wanted_mean, wanted_deviation = channel_statistics(artwork[tap])
        found[tap] = F.mse_loss(mean, wanted_mean) + F.mse_loss(deviation, wanted_deviation)
    return found


def density_loss(densities: Tensor) -> Tensor:
    """Return the mean absolute difference [] between pairs of points.

    Args:
        densities: Raw densities [b, 2 n, 1]: of n points, then of the same points shifted a little.
            The published points fill [-1, 1]^3, of which the planes span the inner half of each
            side.
    """
    before, after = densities.chunk(2, dim=1)
    return (before - after).abs().mean()


def face_crop(image: Tensor, crop: IdentityCrop) -> Tensor:
    """Return what the identity network sees, [b, 3, 112, 112], of aligned square images.

    Args:
        image: Images [b, 3, s, s].
        crop: "corrected" averages them down to 256 pixels first, for which the rows and columns of
            the crop were chosen; "published" takes the same rows and columns of the image at its
            own 512 pixels, which are its upper left quarter.
    """
    if crop == "corrected":
        image = F.adaptive_avg_pool2d(image, _CROP_SIZE)
    return F.adaptive_avg_pool2d(image[..., _ROWS, _COLUMNS], INPUT_SIZE)


def identity_loss(features: Tensor, reference: Tensor) -> Tensor:
    """Return one minus the mean cosine [] of unit features [b, d]; the reference is detached."""
    return 1 - (features * reference.detach()).sum(dim=1).mean()


def gradient_penalty(
    discriminator: DualDiscriminator,
    image: Tensor,
    label: Tensor,
    *,
    raw_size: int,
    form: GradientPenalty = "published",
) -> tuple[Tensor, Tensor]:
    """Return R1's squared gradient norms [b] of real pictures, and their scores [b, 1].

    Args:
        discriminator: Scores pairs of a picture and its small raw copy.
        image: Real pictures [b, 3, s, s].
        label: Their camera labels [b, 25].
        raw_size: Side of the raw copy, which is resized bilinearly without antialiasing.
        form: "eg3d" takes the two of a pair as independent inputs; "published" lets the copy depend
            on the picture, so that the picture's gradient has the path through the copy too and the
            copy's gradient counts again.
    """
    image = image.detach().requires_grad_(True)
    raw = resize(image, raw_size, filter_mode="none")
    if form == "eg3d":
        raw = raw.detach().requires_grad_(True)
    scores = discriminator(image, raw, label)
    gradients = torch.autograd.grad(scores.sum(), [image, raw], create_graph=True)
    return sum((g.square().sum(dim=(1, 2, 3)) for g in gradients), torch.zeros(())), scores


def discriminator_loss(
    real: Tensor, fake: Tensor, penalty: Tensor, weights: StyleLossWeights
) -> Tensor:
    """Return the discriminator's loss [b]: half the logistic loss and the weighted penalty.

    Args:
        real: Scores [b, 1] of real pictures.
        fake: Scores [b, 1] of made ones.
        penalty: R1 of the real ones [b]; see `gradient_penalty`.
        weights: Of the penalty.
    """
    logistic = 0.5 * (F.softplus(fake) + F.softplus(-real)).mean()
    return logistic + weights.r1 * penalty
