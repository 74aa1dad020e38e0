"""A tri-plane field with the decoder's first layer multiplied into the planes.

Averaging over planes, interpolating between pixels and the decoder's first layer are all linear, so
the layer may come first: it is applied to every pixel once instead of to every sample. Its bias is
added after the planes are summed, so that points outside the box still read zeros from the planes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.fields.base import GeometryKind
from triptych.fields.triplane import TriPlaneField
from triptych.ops.sample_planes import AXES


@dataclass(frozen=True, eq=False)
class FoldedTriPlane:
    """What is left to do at a point: sum interpolated pixels, softplus, one linear layer.

    Attributes:
        pixels: First-layer values of every pixel, row by row, plane after plane [p * n * n, k].
        axes: For each plane, which coordinate runs along its columns and which along its rows
            [p, 2], int64.
        size: Height and width n of a plane in pixels.
        box_size: Side of the cube that the planes span.
        hidden_bias: Bias of the first layer [k].
        density_weight: Row of the last layer that gives the raw density [k].
        density_bias: Its bias.
        colour_weight: The other rows, transposed [k, c].
        colour_bias: Their biases [c].
        empty_beyond: Whether there is nothing outside the cube; see `TriPlaneField.beyond_box`.
    """

    pixels: Tensor
    axes: Tensor
    size: int
    box_size: float
    hidden_bias: Tensor
    density_weight: Tensor
    density_bias: float
    colour_weight: Tensor
    colour_bias: Tensor
    empty_beyond: bool

    @property
    def geometry_kind(self) -> GeometryKind:
        """Raw densities."""
        return "density"

    @property
    def num_features(self) -> int:
        """Features besides the density."""
        return int(self.colour_bias.shape[0])


@torch.no_grad()
def fold(field: TriPlaneField) -> FoldedTriPlane:
    """Multiply the first decoder layer of a field of batch 1 into its square planes."""
    planes = field.planes[0]
    num_planes, _, size, width = planes.shape
    assert size == width, "planes are square"
    (first_weight, hidden_bias), (last_weight, last_bias) = field.own_decoder.effective_layers()
    averaging = (first_weight / num_planes).t()
    merged = merge_planes(
        {
            axes: plane.permute(1, 2, 0) @ averaging
            for axes, plane in zip(AXES[field.plane_axes], planes, strict=True)
        }
    )
    return FoldedTriPlane(
        pixels=torch.stack(list(merged.values())).flatten(0, 2),
        axes=torch.tensor(list(merged)),
        size=size,
        box_size=field.box_size,
        hidden_bias=hidden_bias,
        density_weight=last_weight[0].contiguous(),
        density_bias=float(last_bias[0]),
        colour_weight=last_weight[1:].t().contiguous(),
        colour_bias=last_bias[1:].contiguous(),
        empty_beyond=field.beyond_box == "empty",
    )


def merge_planes(planes: dict[tuple[int, int], Tensor]) -> dict[tuple[int, int], Tensor]:
    """Add up planes that see the same two coordinates.

    Of EG3D's "legacy" planes the third is the second one transposed, so that two are left.

    Args:
        planes: Planes [rows, columns, k] by the coordinates along their columns and rows.

    Returns:
        Planes whose first coordinate, along the columns, is the lower one.
    """
    merged: dict[tuple[int, int], Tensor] = {}
    for (column, row), plane in planes.items():
        lower, higher = sorted((column, row))
        turned = plane if column == lower else plane.transpose(0, 1)
        merged[lower, higher] = merged.get((lower, higher), 0) + turned
    return merged
