"""How usual a style code is among those that a generator's mapping network makes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.errors import UserError

_SLOPE = 0.2  # of the leaky ReLU behind the mapping network's last layer
_SMALLEST_VARIANCE = 1e-3  # of the mean variance: directions that no code takes have hardly any


class CodePrior:
    """A normal distribution of codes as they were before the mapping network's last activation.

    An optimiser that follows one picture finds codes no head ever had, and generators paint them as
    smears. Their distance from the usual ones, in deviations, is what this measures.

    Args:
        codes: Codes of many latents [n, d].

    Raises:
        UserError: There are no more codes than entries in one.

    Reference:
        Wulff and Torralba, Improving Inversion and Generation Diversity in StyleGAN using a
        Gaussianized Latent Space (2020).
    """

    def __init__(self, codes: Tensor) -> None:
        number, width = codes.shape
        if number <= width:
            raise UserError(f"a prior of {width} numbers needs more than {number} codes")
        flat = _before_activation(codes.double())
        centred = flat - flat.mean(dim=0)
        values, vectors = torch.linalg.eigh(centred.T @ centred / (number - 1))
        floor = _SMALLEST_VARIANCE * values.mean().clamp(min=1e-12)
        self.mean = flat.mean(dim=0).to(codes.dtype)
        self.whitening = (vectors / values.clamp(min=floor).sqrt()).to(codes.dtype)

    def __call__(self, ws: Tensor) -> Tensor:
        """Return the mean squared distance [] of codes [..., d]: about 1 for usual ones."""
        return ((_before_activation(ws) - self.mean) @ self.whitening).square().mean()


def _before_activation(codes: Tensor) -> Tensor:
    return F.leaky_relu(codes, 1 / _SLOPE)
