"""Tri-plane fields whose density is random everywhere: no space is empty, nothing hides."""

from __future__ import annotations

import torch

from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField
from triptych.ops.sample_planes import PlaneAxes


def random_field(axes: PlaneAxes = "corrected", *, num_features: int = 6) -> TriPlaneField:
    """Return a field of 16 x 16 x 4 planes in a cube of side 1.2, with biases that count."""
    rng = torch.Generator().manual_seed(8)
    decoder = TriPlaneDecoder(4, num_features, num_hidden=7, rng=rng).requires_grad_(False)
    for parameter in decoder.parameters():
        if parameter.ndim == 1:
            parameter += 0.3 * torch.randn(parameter.shape, generator=rng)
    return TriPlaneField(2 * torch.randn(1, 3, 4, 16, 16, generator=rng), decoder, 1.2, axes)
