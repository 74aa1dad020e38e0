"""Where inversion starts and its unit of length."""

from __future__ import annotations

import torch

from triptych.systems.invert.training.setup import latent_statistics, normal_latents


def test_mean_and_spread_of_style_codes(toy_generator):
    latents = normal_latents(500, toy_generator.config.z_dim, seed=1)
    codes = toy_generator.mapping(latents)[:, 0]
    mean, std = latent_statistics(toy_generator, latents)
    assert mean.shape == std.shape == (toy_generator.num_ws, 16)
    torch.testing.assert_close(mean[3], codes.mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(std[0], codes.std(0), atol=1e-5, rtol=1e-4)


def test_a_code_that_never_changes_has_a_spread_all_the_same(toy_generator):
    _, std = latent_statistics(toy_generator, torch.zeros(10, toy_generator.config.z_dim))
    assert float(std.min()) > 0


def test_normal_latents_are_those_of_their_seed():
    assert torch.equal(normal_latents(3, 4, 5), normal_latents(3, 4, 5))
    assert abs(float(normal_latents(1000, 4, 5).std()) - 1) < 0.05
