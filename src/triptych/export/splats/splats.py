"""Splats: 3D Gaussians with a colour and an opacity, as trainers of them keep them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CONSTANT_HARMONIC = 0.28209479177387814
"""The spherical harmonic of degree 0, by which a file's coefficients are multiplied."""


@dataclass(frozen=True, eq=False)
class Splats:
    """n Gaussians in the world (y up, the face along +z), of one colour from every side.

    Reference: Kerbl et al., 3D Gaussian Splatting for Real-Time Radiance Field Rendering (2023).

    Attributes:
        positions: Centres [n, 3].
        log_scales: Logarithms of the standard deviations along the own axes [n, 3].
        rotations: Quaternions w, x, y, z from own axes to the world [n, 4]; of any length.
        opacity_logits: Opacity at the centre, before the sigmoid [n].
        coefficients: Spherical harmonics of degree 0 [n, 3]; see `colours`.
    """

    positions: Tensor
    log_scales: Tensor
    rotations: Tensor
    opacity_logits: Tensor
    coefficients: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def colours(self) -> Tensor:
        """Colours [n, 3] as displayed (sRGB), in [0, 1]."""
        return (0.5 + CONSTANT_HARMONIC * self.coefficients).clamp(0, 1)

    @property
    def opacities(self) -> Tensor:
        """Opacities at the centres [n], in (0, 1)."""
        return self.opacity_logits.sigmoid()

    @property
    def unit_rotations(self) -> Tensor:
        """Unit quaternions w, x, y, z [n, 4]."""
        return F.normalize(self.rotations, dim=1)

    def covariances(self) -> Tensor:
        """Return R S S^T R^T of each splat [n, 3, 3]."""
        w, x, y, z = self.unit_rotations.unbind(1)
        rows = [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], 1),
            torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], 1),
            torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], 1),
        ]
        scaled = torch.stack(rows, 1) * self.log_scales.exp()[:, None]
        return scaled @ scaled.transpose(1, 2)
