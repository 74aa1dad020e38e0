"""Networks with a portrait's codes multiplied in equal the exact ones."""

from __future__ import annotations

import torch
from toy_compose import TINY, tiny_region_generator

from triptych.systems.compose.folded_regions import FoldedRegions
from triptych.systems.compose.region_networks import region_codes


@torch.no_grad()
def test_folded_networks_equal_the_exact_ones():
    generator, rng = tiny_region_generator(), torch.Generator().manual_seed(2)
    codes = torch.randn(1, TINY.num_codes, TINY.style_dim, generator=rng)
    points = torch.rand(300, 3, generator=rng) * 2 - 1
    directions = torch.nn.functional.normalize(torch.randn(300, 3, generator=rng), dim=1)
    folded = FoldedRegions.of(generator.renderer, codes)
    distance, masks, colours = folded.values(points, directions)
    exact = generator.field(codes).geometry(points[None] * TINY.half_box)[0]
    assert torch.allclose(distance * TINY.view.radius, exact, atol=1e-5)
    assert torch.equal(folded.distance(points), distance)
    for index, network in enumerate(generator.renderer.networks()):
        values = network(points[None], directions[None], *region_codes(codes, index))
        assert torch.allclose(masks[index], values.mask[0], atol=1e-4)
        assert torch.allclose(colours[index], values.rgb[0], atol=1e-4)
