from __future__ import annotations

import pytest
import torch
from triplane_fields import random_field

from triptych.fields.folded_triplane import fold, merge_planes


def test_planes_of_the_same_two_coordinates_become_one():
    xy, xz, zx = (
        torch.randn(4, 4, 2, generator=torch.Generator().manual_seed(n)) for n in (1, 2, 3)
    )
    merged = merge_planes({(0, 1): xy, (0, 2): xz, (2, 0): zx})
    assert list(merged) == [(0, 1), (0, 2)]
    assert torch.equal(merged[0, 1], xy)
    assert torch.equal(merged[0, 2], xz + zx.transpose(0, 1))


@pytest.mark.parametrize(("axes", "count"), [("legacy", 2), ("corrected", 3)])
def test_what_is_left_to_do_at_a_point_gives_the_field(axes, count):
    """At pixel centres no interpolation is needed: the sum can be written out by hand."""
    field = random_field(axes)
    folded = fold(field)
    size = folded.size
    assert len(folded.axes) == count
    planes = folded.pixels.unflatten(0, (count, size, size))
    x, y, z = 3, 7, 1
    pixel = torch.tensor([x, y, z])
    hidden = folded.hidden_bias + sum(
        plane[pixel[row], pixel[column]]
        for plane, (column, row) in zip(planes, folded.axes.tolist(), strict=True)
    )
    activated = torch.nn.functional.softplus(hidden)
    centre = ((pixel + 0.5) / size - 0.5) * field.box_size
    expected = field.query(centre[None, None].float())
    density = activated @ folded.density_weight + folded.density_bias
    torch.testing.assert_close(density, expected.geometry[0, 0, 0], rtol=0, atol=1e-5)
    colours = torch.sigmoid(activated @ folded.colour_weight + folded.colour_bias)
    torch.testing.assert_close(colours * 1.002 - 0.001, expected.features[0, 0], rtol=0, atol=1e-5)
    assert folded.num_features == 6
