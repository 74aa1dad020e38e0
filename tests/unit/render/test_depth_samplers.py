from __future__ import annotations

import torch

from triptych.render.depth_samplers import importance_depths, stratified_depths


def test_even_depths_include_both_ends():
    torch.testing.assert_close(
        stratified_depths(1.0, 3.0, 5)[0, 0], torch.tensor([1.0, 1.5, 2.0, 2.5, 3.0])
    )
    per_ray = stratified_depths(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 6.0]]), 3)
    torch.testing.assert_close(per_ray[0], torch.tensor([[1.0, 2, 3], [2, 4, 6]]))


def test_jitter_is_in_bins_and_may_pass_the_end():
    jitter = torch.tensor([[[0.0, 0.5, 0.9]]])
    torch.testing.assert_close(
        stratified_depths(1.0, 3.0, 3, jitter=jitter)[0, 0], torch.tensor([1.0, 2.5, 3.9])
    )


def test_disparity_is_even_in_inverse_depth():
    depths = stratified_depths(1.0, 4.0, 4, disparity=True)[0, 0]
    torch.testing.assert_close(1 / depths, torch.tensor([1.0, 0.75, 0.5, 0.25]))
    per_ray = stratified_depths(torch.tensor([[1.0]]), torch.tensor([[4.0]]), 4, disparity=True)
    torch.testing.assert_close(per_ray[0, 0], depths)
    jittered = stratified_depths(1.0, 4.0, 4, jitter=torch.full((1, 1, 4), 0.5), disparity=True)
    torch.testing.assert_close(1 / jittered[0, 0], torch.tensor([0.875, 0.625, 0.375, 0.125]))


def test_flat_weights_give_even_depths():
    """Bins run from the first interval's midpoint to the last but one's: 0.5 to 3.5 of 0..5."""
    depths = torch.arange(6.0)[None, None]
    uniform = torch.linspace(0, 1, 7)[None, None]
    drawn = importance_depths(depths, torch.full((1, 1, 5), 0.2), uniform)
    torch.testing.assert_close(drawn[0, 0], torch.linspace(0.5, 3.5, 7))


def test_depths_gather_where_the_weight_is():
    depths = torch.linspace(2, 3, 21)[None, None]
    weights = torch.zeros(1, 1, 20)
    weights[..., 10] = 1.0
    uniform = torch.rand(1, 1, 2000, generator=torch.Generator().manual_seed(10))
    drawn = importance_depths(depths, weights, uniform)
    near_the_peak = ((drawn - 2.525).abs() < 0.1).float().mean()
    assert near_the_peak > 0.9
    assert drawn.min() >= 2.0
    assert drawn.max() <= 3.0


def test_one_ray_of_one_image_works():
    depths = stratified_depths(1.0, 2.0, 4)
    drawn = importance_depths(depths, torch.full((1, 1, 3), 0.1), torch.tensor([[[0.0, 1.0]]]))
    assert drawn.shape == (1, 1, 2)
    assert torch.isfinite(drawn).all()
