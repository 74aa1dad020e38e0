"""How geometry at samples along a ray becomes weights: the rules of published systems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.config import check_fields
from triptych.errors import UserError
from triptych.fields.base import GeometryKind

LastSample = Literal["endless", "ignored"]

TRANSMITTANCE_FLOOR = 1e-10


@dataclass(frozen=True, eq=False)
class RayWeights:
    """How much each sample of a ray contributes.

    Attributes:
        samples: Weight of each sample, in depth order [..., s].
        total: Sum of the weights [..., 1]; the rest of the light comes from the background.
        alpha: The part of the total that is not a backdrop [..., 1]; see `SdfRule.last_sample`.
    """

    samples: Tensor
    total: Tensor
    alpha: Tensor


class MarchingRule(Protocol):
    """Turns geometry [..., s] at sorted depths [..., s] into weights."""

    @property
    def geometry_kind(self) -> GeometryKind:
        """What the rule makes weights of."""

    @property
    def skips_empty_space(self) -> bool:
        """Whether samples in empty space have no weight, so that they may be skipped."""

    def interval_weights(self, geometry: Tensor, depths: Tensor) -> Tensor:
        """Return the weight of each interval between neighbouring samples [..., s - 1]."""

    def weigh(self, geometry: Tensor, depths: Tensor) -> RayWeights:
        """Return the weight of each sample."""

    def lowest_occupied(self, empty_below: float) -> float:
        """Return the geometry, growing inwards (`fields.base.inwards`), of a given density.

        Args:
            empty_below: Density per world unit, after activation.
        """


@dataclass(frozen=True)
class MidpointRule:
    """EG3D's rule: each interval has the mean of its ends.

    Raw densities are averaged over the interval's ends first, activated after: alpha is
    1 - exp(-softplus(mean - 1) * density_gain * length). There is no interval behind the last
    sample, so rays may stay partly transparent. A sample weighs half of the intervals beside it.

    Attributes:
        density_gain: Scale of the activated density: 1 in EG3D, 30 in the avatar models.

    Reference: Max, Optical models for direct volume rendering (1995); Chan et al., EG3D (2022).
    """

    density_gain: float = 1.0

    @property
    def geometry_kind(self) -> GeometryKind:
        """Raw densities."""
        return "density"

    @property
    def skips_empty_space(self) -> bool:
        """Empty space has no weight."""
        return True

    def interval_weights(self, geometry: Tensor, depths: Tensor) -> Tensor:
        """Return weights [..., s - 1]; with the remaining transmittance they sum to 1."""
        length = depths[..., 1:] - depths[..., :-1]
        middle = (geometry[..., 1:] + geometry[..., :-1]) / 2
        alpha = 1 - torch.exp(-F.softplus(middle - 1) * self.density_gain * length)
        return alpha * _light_before(alpha)

    def weigh(self, geometry: Tensor, depths: Tensor) -> RayWeights:
        """Return the weight of each sample."""
        intervals = self.interval_weights(geometry, depths)
        samples = (F.pad(intervals, (1, 0)) + F.pad(intervals, (0, 1))) / 2
        total = intervals.sum(dim=-1, keepdim=True)
        return RayWeights(samples, total, total)

    def lowest_occupied(self, empty_below: float) -> float:
        """Return the raw density at which softplus(raw - 1) * gain is `empty_below`."""
        return 1 + math.log(math.expm1(empty_below / self.density_gain))


@dataclass(frozen=True)
class SdfRule:
    """CNeRF's rule: each sample stands for the interval behind it.

    Density is sigmoid(-distance / beta) / beta, alpha is 1 - exp(-density * length).

    Attributes:
        beta: Softness of surfaces in world units; a tensor [] where it is learned.
        last_sample: What is behind the last sample. "endless", as published, gives it an interval
            of length `endless`, so that it stands for all that is behind and takes the light that
            is left: the backdrop, which is composited but is not counted in alpha. "ignored" gives
            the last sample no weight, so that rays may stay partly transparent.
        endless: That length in world units, a number or one for each ray [..., 1]. It counts where
            a ray ends so far from any surface that the density is about its inverse.

    Reference: Or-El et al., StyleSDF (2022), section 3.1; Ma et al., CNeRF (2023).
    """

    beta: float | Tensor = 0.1
    last_sample: LastSample = "endless"
    endless: float | Tensor = 1e10

    def __post_init__(self) -> None:
        if not isinstance(self.beta, Tensor):
            check_fields(self, beta=(1e-6, 1e6))

    @property
    def geometry_kind(self) -> GeometryKind:
        """Signed distances."""
        return "sdf"

    @property
    def skips_empty_space(self) -> bool:
        """An endless last sample has weight in empty space too."""
        return self.last_sample == "ignored"

    def interval_weights(self, geometry: Tensor, depths: Tensor) -> Tensor:
        """Return the weights of all samples but the last [..., s - 1]."""
        return self._sample_weights(geometry, depths)[..., :-1]

    def weigh(self, geometry: Tensor, depths: Tensor) -> RayWeights:
        """Return the weight of each sample."""
        samples = self._sample_weights(geometry, depths)
        before_last = samples[..., :-1].sum(dim=-1, keepdim=True)
        return RayWeights(samples, before_last + samples[..., -1:], before_last)

    def lowest_occupied(self, empty_below: float) -> float:
        """Return the negated distance at which sigmoid(-distance / beta) / beta is `empty_below`.

        It is infinite where surfaces are so soft that no density reaches it.
        """
        beta = float(self.beta)
        share = empty_below * beta
        return beta * math.log(share / (1 - share)) if share < 1 else math.inf

    def opacities(self, distance: Tensor, depths: Tensor) -> Tensor:
        """Return how opaque the interval is that each sample stands for [..., s], in [0, 1]."""
        length = depths[..., 1:] - depths[..., :-1]
        behind = torch.as_tensor(self.endless if self.last_sample == "endless" else 0.0)
        length = torch.cat([length, behind.to(length).expand_as(length[..., :1])], dim=-1)
        density = torch.sigmoid(-distance / self.beta) / self.beta
        return 1 - torch.exp(-density * length)

    def most_weights(self, distance: Tensor, depths: Tensor, error: float) -> Tensor:
        """Return the largest weights [..., s] of samples whose distance may be off by an error."""
        least = self.opacities(distance + error, depths)
        return self.opacities(distance - error, depths) * _light_before(least)

    def _sample_weights(self, distance: Tensor, depths: Tensor) -> Tensor:
        alpha = self.opacities(distance, depths)
        return alpha * _light_before(alpha)


def check_geometry(kind: GeometryKind, rule: MarchingRule) -> None:
    """Raise UserError unless a field's geometry is of the kind that a rule turns into weights."""
    if kind != rule.geometry_kind:
        raise UserError(
            f"the field's geometry is {kind}, the marching rule needs "
            f"{rule.geometry_kind}; set RenderConfig.sdf for signed distances, None for densities"
        )


def _light_before(alpha: Tensor) -> Tensor:
    """Return the transmittance in front of each interval or sample [..., n]."""
    passed = torch.cumprod(1 - alpha + TRANSMITTANCE_FLOOR, dim=-1)
    return F.pad(passed[..., :-1], (1, 0), value=1.0)
