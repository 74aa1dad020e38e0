"""What both published stages share: real pictures, latents that are mixed, cameras at random."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.render.rendering import Rendering
from triptych.systems.compose.data.region_set import RegionSet
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.region_rays import draws_for
from triptych.systems.compose.style_codes import MixDraws, mixed_codes, mixed_decoder_codes
from triptych.training.adversarial_losses import gradient_penalties

YAW_DEVIATION, PITCH_DEVIATION = 0.3, 0.15
MIXING = 0.9


@dataclass(frozen=True, eq=False)
class Made:
    """Heads of a generator.

    Attributes:
        codes: Of their volumes [b, 2k, d].
        camera: b cameras.
        view: Azimuth and elevation [b, 2], radians.
        rendering: Of the volume, jittered as in training.
        decoder_codes: [b, layers, D]; None without a decoder.
    """

    codes: Tensor
    camera: Camera
    view: Tensor
    rendering: Rendering
    decoder_codes: Tensor | None


def real_pictures(
    pictures: RegionSet, size: int, num: int, rng: torch.Generator, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Draw pictures [b, 3, h, h] with masks [b, k, h, h], half of them mirrored."""
    chosen = torch.randint(len(pictures), (num,), generator=rng).tolist()
    mirrored = (torch.rand(num, generator=rng) < 0.5).tolist()
    drawn = [
        pictures.get(index, size, mirrored=turned)
        for index, turned in zip(chosen, mirrored, strict=True)
    ]
    images, masks = zip(*drawn, strict=True)
    return torch.stack(images).to(device), torch.stack(masks).to(device)


def weighted_r1(
    scores: Tensor, inputs: tuple[Tensor, Tensor], weights: tuple[float, float]
) -> Tensor:
    """Return half the weighted penalties of scores of real pictures and of their masks."""
    of_image, of_masks = gradient_penalties(scores, inputs)
    return 0.5 * (weights[0] * of_image + weights[1] * of_masks)


def made_heads(generator: RegionGenerator, num: int, rng: torch.Generator) -> Made:
    """Make heads as CNeRF's training does: latents mixed by region, cameras at random."""
    config, device = generator.config, generator.renderer.sigmoid_beta.device
    z = torch.randn(2, num, config.style_dim, generator=rng).to(device)
    first, second = generator.mapping(z[0]), generator.mapping(z[1])
    layers = 0 if generator.decoder is None else generator.decoder.num_codes
    draws = MixDraws.random(num, config.num_regions, max(2, layers), rng)
    if float(torch.rand((), generator=rng)) >= MIXING:
        draws = MixDraws(torch.zeros_like(draws.regions), layers)
    codes = mixed_codes(first, second, draws.regions)
    of_decoder = None
    if layers:
        pair = generator.decoder_codes(first), generator.decoder_codes(second)
        of_decoder = mixed_decoder_codes(*pair, layers, draws.crossover)
    view = torch.randn(num, 2, generator=rng) * torch.tensor([YAW_DEVIATION, PITCH_DEVIATION])
    camera = config.view.camera(view[:, 0], view[:, 1]).to(device)
    rays, sampling = (num, config.render_size**2), config.sampling
    jitter = draws_for(rays, sampling.num, sampling.spacing, rng).to(device)
    return Made(
        codes, camera, view.to(device), generator.render(codes, camera, draws=jitter), of_decoder
    )
