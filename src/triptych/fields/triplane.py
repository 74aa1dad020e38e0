"""The tri-plane field: three feature planes and a small decoder (EG3D)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from triptych.fields.base import NO_DENSITY, BeyondBox, FieldSample, GeometryKind
from triptych.ops.equalised_linear import equalised_linear
from triptych.ops.placement import in_cpu_memory
from triptych.ops.plane_means import plane_means
from triptych.ops.sample_planes import PlaneAxes, sample_planes

# Sigmoid outputs reach a little beyond [0, 1], so that pure black and white are attainable.
COLOUR_OVERSHOOT = 0.001


def coloured(raw: Tensor) -> Tensor:
    """Return the features that numbers of a decoder's last layer stand for."""
    return torch.sigmoid(raw) * (1 + 2 * COLOUR_OVERSHOOT) - COLOUR_OVERSHOOT


class _EqualisedLinear(nn.Module):
    def __init__(
        self, num_in: int, num_out: int, lr_multiplier: float, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.lr_multiplier = lr_multiplier
        self.weight = nn.Parameter(torch.randn(num_out, num_in, generator=rng) / lr_multiplier)
        self.bias = nn.Parameter(torch.zeros(num_out))

    def forward(self, x: Tensor) -> Tensor:
        return equalised_linear(x, self.weight, self.bias, lr_multiplier=self.lr_multiplier)

    def effective(self) -> tuple[Tensor, Tensor]:
        """Return weight [o, i] and bias [o] with their scales multiplied in."""
        weight = self.weight * (self.lr_multiplier / math.sqrt(self.weight.shape[1]))
        return weight, self.bias * self.lr_multiplier


class TriPlaneDecoder(nn.Module):
    """Turns averaged plane features into raw density and features; the same from all sides.

    Args:
        num_channels: Channels of each plane.
        num_features: Features decoded besides the density; the first three are the colour.
        num_hidden: Width of the one hidden layer.
        lr_multiplier: Equalised learning rate multiplier of both layers.
        rng: Source of the initial weights.

    Reference: Chan et al., EG3D (2022), section 4.2.
    """

    def __init__(
        self,
        num_channels: int,
        num_features: int,
        *,
        num_hidden: int = 64,
        lr_multiplier: float = 1.0,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.lr_multiplier = lr_multiplier
        self.net = nn.Sequential(
            _EqualisedLinear(num_channels, num_hidden, lr_multiplier, rng),
            nn.Softplus(),
            _EqualisedLinear(num_hidden, 1 + num_features, lr_multiplier, rng),
        )

    def forward(self, plane_features: Tensor) -> FieldSample:
        """Decode features already averaged over the planes [..., c]."""
        decoded = self.net(plane_features).float()
        return FieldSample(decoded[..., :1], coloured(decoded[..., 1:]))

    def density(self, plane_features: Tensor) -> Tensor:
        """Return only the raw density [..., 1], without decoding colours."""
        first, softplus, last = self.net
        assert isinstance(last, _EqualisedLinear)
        hidden = softplus(first(plane_features))
        row = equalised_linear(
            hidden, last.weight[:1], last.bias[:1], lr_multiplier=last.lr_multiplier
        )
        return row.float()

    def effective_layers(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return weight and bias of both linear layers, with their scales multiplied in."""
        first, _, last = self.net
        assert isinstance(first, _EqualisedLinear)
        assert isinstance(last, _EqualisedLinear)
        return first.effective(), last.effective()


class PlaneDecoder(Protocol):
    """What a field asks of its decoder while something is learned; see `TriPlaneDecoder`."""

    def __call__(self, plane_features: Tensor) -> FieldSample:
        """Decode features averaged over the planes [..., c]."""

    def density(self, plane_features: Tensor) -> Tensor:
        """Return only the raw density [..., 1]."""


@dataclass(frozen=True, eq=False)
class TriPlaneField:
    """Feature planes with the decoder that reads them.

    Attributes:
        planes: Feature planes [b, 3, c, h, w]; a batch of 1 answers for any batch of points.
        decoder: Decoder of the averaged plane features.
        box_size: Side of the cube that the planes span. Points outside read zero features.
        plane_axes: Which coordinates each plane sees; see `ops.sample_planes`.
        beyond_box: What is outside the cube: "decoded", as published, turns the zeros read there
            into a density too, of columns over all that the planes hold; "empty" is empty.
    """

    planes: Tensor
    decoder: PlaneDecoder
    box_size: float = 1.0
    plane_axes: PlaneAxes = "legacy"
    beyond_box: BeyondBox = "decoded"

    @property
    def own_decoder(self) -> TriPlaneDecoder:
        """The decoder, which fast paths fold; what is still learned has no fast path."""
        assert isinstance(self.decoder, TriPlaneDecoder)
        return self.decoder

    @property
    def geometry_kind(self) -> GeometryKind:
        """Raw densities."""
        return "density"

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        """Return raw density and features at world points [b, n, 3], the same from all sides."""
        sample = self.decoder(self._plane_features(points))
        leading = points.shape[:2]
        return FieldSample(
            self._emptied(sample.geometry.reshape(*leading, 1), points),
            sample.features.reshape(*leading, sample.features.shape[-1]),
        )

    def geometry(self, points: Tensor) -> Tensor:
        """Return only the raw density [b, n, 1] at world points [b, n, 3]; cheaper than query."""
        density = self.decoder.density(self._plane_features(points))
        return self._emptied(density.reshape(*points.shape[:2], 1), points)

    def _emptied(self, density: Tensor, points: Tensor) -> Tensor:
        if self.beyond_box == "decoded":
            return density
        beyond = points.abs().amax(dim=-1, keepdim=True) > self.box_size / 2
        return density.masked_fill(beyond, NO_DENSITY)

    def _plane_features(self, points: Tensor) -> Tensor:
        """Return features averaged over the planes [b * n, c]."""
        if self.planes.shape[0] == 1:
            points = points.reshape(1, -1, 3)
        if self._only_planes_learn(points):
            means = plane_means(self.planes, points, box_size=self.box_size, axes=self.plane_axes)
            return means.flatten(0, 1)
        sampled = sample_planes(self.planes, points, box_size=self.box_size, axes=self.plane_axes)
        # The mean, divided after the sum: its gradient is a third as large in memory.
        mean = sampled.sum(dim=1) / sampled.shape[1]
        return mean.transpose(1, 2).flatten(0, 1)

    def _only_planes_learn(self, points: Tensor) -> bool:
        """Say whether the compiled path, which has gradients for planes alone, applies."""
        planes = self.planes
        learning = torch.is_grad_enabled() and planes.requires_grad and not points.requires_grad
        square = planes.shape[-1] == planes.shape[-2]
        kinds = (torch.float32, torch.bfloat16)
        return learning and square and in_cpu_memory(planes) and planes.dtype in kinds
