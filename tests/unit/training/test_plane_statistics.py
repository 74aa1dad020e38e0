"""Mean and spread of a generator's planes."""

from __future__ import annotations

import torch
from toy_portraits import tiny_generator

from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.latents import latent_from_seed
from triptych.training.plane_statistics import plane_statistics


def test_statistics_are_those_of_the_generators_planes():
    generator = tiny_generator()
    mean, std = plane_statistics(generator)
    with torch.no_grad():
        latents = [
            latent_from_seed(seed, ATTRIBUTE_DIM, "attributes") for seed in range(100_000, 100_256)
        ]
        planes = torch.cat([generator.planes(generator.mapping(latent)) for latent in latents])
    torch.testing.assert_close(mean, planes.mean(0), atol=1e-2, rtol=1e-2)
    spread = planes.var(0, unbiased=False).mean((2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(std, spread, atol=1e-2, rtol=2e-2)
