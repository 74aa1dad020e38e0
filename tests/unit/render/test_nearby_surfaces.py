"""Surfaces that rays meet, and those beside them that they pass."""

from __future__ import annotations

import torch

from triptych.render.nearby_surfaces import nearby_surfaces, spread_outwards


def _half_plane(size: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a picture whose left three columns show a surface; depth grows with the row."""
    depth = torch.arange(size).float()[:, None].expand(size, size) + 10
    known = torch.zeros(size, size, dtype=torch.bool)
    known[:, :3] = True
    return torch.where(known, depth, float("nan"))[None], known[None]


def test_depth_goes_on_beyond_the_outline_as_far_as_asked():
    depth, known = _half_plane()
    further, found = spread_outwards(depth, known, reach=2)
    assert found[0].sum(0).tolist() == [9] * 5 + [0] * 4
    # Far from the corners each new pixel is the mean of neighbours above, beside and below.
    torch.testing.assert_close(further[0, 4, :5], torch.full((5,), 14.0))
    assert torch.equal(further[0][known[0]], depth[0][known[0]])


def test_no_reach_changes_nothing_and_an_empty_picture_stays_empty():
    depth, known = _half_plane()
    assert torch.equal(spread_outwards(depth, known, reach=0)[1], known)
    _, found = spread_outwards(depth, torch.zeros_like(known), reach=5)
    assert not found.any()


def test_half_of_the_samples_belong_to_the_ray_itself():
    depth = torch.arange(81.0).reshape(1, 9, 9)
    pixels = torch.tensor([[[4.0, 3.0], [8.0, 0.0]]])  # column, row
    surfaces, near = nearby_surfaces(
        depth, depth >= 0, pixels, 5, reach=0, generator=torch.Generator().manual_seed(0)
    )
    assert surfaces.shape == (1, 2, 5)
    assert near.all()
    assert surfaces[0, 0, :3].tolist() == [31.0] * 3
    assert surfaces[0, 1, :3].tolist() == [8.0] * 3
    assert set(surfaces.flatten().tolist()) <= set(range(81))


def test_the_others_lie_round_surfaces_of_pixels_close_by():
    depth = torch.arange(400.0).reshape(1, 20, 20)
    pixels = torch.full((1, 500, 2), 10.0)
    surfaces, _ = nearby_surfaces(
        depth, depth >= 0, pixels, 2, reach=0, generator=torch.Generator().manual_seed(0)
    )
    columns, rows = surfaces[0, :, 1] % 20, surfaces[0, :, 1] // 20
    for coordinate in (columns, rows):
        assert abs(float(coordinate.mean()) - 10) < 0.3
        assert 1.7 < float(coordinate.std()) < 2.3


def test_a_ray_beside_the_outline_passes_the_surface_and_one_far_away_none():
    depth, known = _half_plane()
    pixels = torch.tensor([[[4.0, 4.0], [8.0, 4.0]]])
    surfaces, near = nearby_surfaces(
        depth, known, pixels, 2, reach=2, generator=torch.Generator().manual_seed(1)
    )
    assert near[0, :, 0].tolist() == [True, False]
    assert surfaces[0, 0, 0] == 14.0
