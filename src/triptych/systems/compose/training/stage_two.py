"""CNeRF's second stage: the decoder is learned over a frozen volume, adversarially.

Steps take turns as in the first stage: even ones teach the discriminator, odd ones the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.systems.compose.data.region_set import RegionSet
from triptych.systems.compose.discriminators import (
    FULL_WIDTHS,
    DiscriminatorWidths,
    FullDiscriminator,
)
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionDecoderConfig
from triptych.systems.compose.losses import path_length
from triptych.systems.compose.training.adversarial import (
    Made,
    made_heads,
    real_pictures,
    weighted_r1,
)
from triptych.systems.compose.training.chunks import Losses, check_chunks, in_chunks
from triptych.training.adversarial_losses import fooling_loss, real_scores_loss
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.parameter_groups import ParameterGroup
from triptych.training.processes import mean_over_processes
from triptych.training.sheets import save_sheet
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_network

R1_EVERY, PATH_EVERY = 16, 4

LOOP = LoopConfig(
    learning_rate=2e-3,
    betas=(0.0, 0.99),
    final_rate=1.0,
    warmup_steps=1,
    gradient_clip=1e9,
    ema_decay=0.5 ** (16 / 10_000),
    shared_draws=True,
)
# StyleGAN2's lazy regularisation: rates and decays by the share of steps without it.
_DECODER_SHARE = PATH_EVERY / (PATH_EVERY + 1)
_DISCRIMINATOR_SHARE = R1_EVERY / (R1_EVERY + 1)


@dataclass(frozen=True)
class Options:
    """Data, sizes, batch and loss weights; the defaults are the published ones.

    Attributes:
        pictures: Folder of a set of regions (`triptych data regions`) with pictures of the size
            that the decoder makes.
        start_from: Generator of the first stage (.safetensors), or of an earlier second stage.
        feature_width, style_dim, mapping_layers, decoder_widths: See `RegionDecoderConfig`.
        full_widths: Channels of the discriminator; see `DiscriminatorWidths`.
        batch: Pictures per step.
        chunk: Pictures at once.
        r1_image, r1_masks, path: Weights of the regularisations.
        device: Training device, as torch spells it.
    """

    pictures: str = "runs/data/regions"
    start_from: str = "runs/compose-volume/compose-volume.safetensors"
    feature_width: int = 256
    style_dim: int = 512
    mapping_layers: int = 5
    decoder_widths: tuple[int, ...] = (512, 256, 128, 64)
    full_widths: tuple[int, ...] = FULL_WIDTHS.widths
    batch: int = 16
    chunk: int = 4
    r1_image: float = 10.0
    r1_masks: float = 1000.0
    path: float = 2.0
    device: str = "cpu"


def build(options: Options) -> StageTwoRecipe:
    """Build the recipe over a given volume."""
    return StageTwoRecipe(options)


def export(recipe: StageTwoRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged generator as a self-describing fp16 weight file."""
    save_trained(recipe, result, "generator", out, pictures=len(recipe.pictures))


class StageTwoRecipe:
    """Adversarial training of a `RegionGenerator`'s decoder."""

    name = "compose-decoder"

    def __init__(self, options: Options) -> None:
        check_chunks(options.batch, options.chunk)
        self.options, self.pictures = options, RegionSet(options.pictures)
        self.generator = self._with_decoder(load_network(options.start_from, "region-generator"))
        config = self.generator.config
        if config.regions != self.pictures.description.regions:
            raise UserError(
                f"{options.pictures} has the regions {', '.join(self.pictures.description.regions)}"
                f"; expected those of {options.start_from}: {', '.join(config.regions)}"
            )
        self.pictures.check_size(config.image_size)
        self.generator.to(options.device).train().requires_grad_(False)
        widths = DiscriminatorWidths(options.full_widths, config.num_regions)
        self.full = FullDiscriminator(widths).to(options.device)
        # The mean length of paths belongs to the state of the run: it is kept with checkpoints.
        self.full.register_buffer("mean_path_length", torch.zeros((), device=options.device))
        self._mean_lengths: list[Tensor] = []  # as each chunk of a step moves it
        self.modules: Modules = {"generator": self.generator, "full": self.full}
        for parameter in self._decoding():
            parameter.requires_grad_(True)

    def groups(self) -> list[ParameterGroup]:
        """Return the decoder and the discriminator at the rates of lazy regularisation."""
        parts = (
            (self._decoding(), _DECODER_SHARE),
            (list(self.full.parameters()), _DISCRIMINATOR_SHARE),
        )
        return [
            ParameterGroup(parameters, share, (0.0, 0.99**share)) for parameters, share in parts
        ]

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options, iteration = self.options, progress.step // 2
        teaches = progress.step % 2 == 0
        self.full.requires_grad_(teaches)
        for parameter in self._decoding():
            parameter.requires_grad_(not teaches)
        if teaches:
            losses_of = partial(self._teaching, penalised=iteration % R1_EVERY == 0)
        else:
            losses_of = partial(self._fooling, straightened=iteration % PATH_EVERY == 0)
        self._mean_lengths = []
        loss, figures = in_chunks(options.batch, options.chunk, losses_of, generator, progress)
        if self._mean_lengths:
            new = mean_over_processes(torch.stack(self._mean_lengths).mean())
            self.full.get_buffer("mean_path_length").copy_(new)
        return loss, figures

    def _teaching(self, num: int, rng: torch.Generator, penalised: bool) -> Losses:
        options, size = self.options, self.generator.config.image_size
        with torch.no_grad():
            image, masks = self._decoded(made_heads(self.generator, num, rng), rng)
        images, real_masks = real_pictures(self.pictures, size, num, rng, options.device)
        images.requires_grad_(penalised)
        real_masks.requires_grad_(penalised)
        real, fake = self.full(images, real_masks), self.full(image, masks)
        losses = {"full": real_scores_loss(real, fake)}
        if penalised:
            weights = options.r1_image, options.r1_masks
            losses["full_r1"] = R1_EVERY * weighted_r1(real, (images, real_masks), weights)
        return losses

    def _fooling(self, num: int, rng: torch.Generator, straightened: bool) -> Losses:
        made = made_heads(self.generator, num, rng)
        image, masks = self._decoded(made, rng)
        losses = {"fooling": fooling_loss(self.full(image, masks))}
        if straightened:
            losses["path"] = self.options.path * PATH_EVERY * self._crookedness(num, rng)
        return losses

    def _crookedness(self, num: int, rng: torch.Generator) -> Tensor:
        """Return the path-length penalty of half as many heads."""
        made = made_heads(self.generator, max(1, num // 2), rng)
        assert made.decoder_codes is not None
        image, _ = self._decoded(made, rng)
        noise = torch.randn(image.shape, generator=rng).to(image)
        mean = self.full.get_buffer("mean_path_length")
        penalty, new = path_length(image, made.decoder_codes, mean, noise)
        self._mean_lengths.append(new)
        return penalty

    def _decoded(self, made: Made, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return final images and masks with fresh noise."""
        assert self.generator.decoder is not None
        assert made.decoder_codes is not None
        noises = [
            torch.randn(len(made.codes), 1, *stored.shape[2:], generator=rng).to(stored)
            for stored in self.generator.decoder.noises.maps()
        ]
        decoded = self.generator.decode(made.rendering, made.decoder_codes, noises)
        assert decoded.regions is not None
        return decoded.image, decoded.regions

    def _decoding(self) -> list[torch.nn.Parameter]:
        generator = self.generator
        assert generator.decoder is not None
        assert generator.feature_transfer is not None
        return [*generator.feature_transfer.parameters(), *generator.decoder.parameters()]

    def _with_decoder(self, volume: RegionGenerator) -> RegionGenerator:
        """Return the generator with a new decoder, unless it has one."""
        if volume.config.decoder is not None:
            return volume
        options = self.options
        decoder = RegionDecoderConfig(
            options.feature_width,
            options.style_dim,
            options.mapping_layers,
            options.decoder_widths,
        )
        generator = RegionGenerator(replace(volume.config, decoder=decoder))
        generator.style.load_state_dict(volume.style.state_dict())
        generator.renderer.load_state_dict(volume.renderer.state_dict())
        return generator

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        return {"path_length": round(float(self.full.get_buffer("mean_path_length")), 4)}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        generator: Any = averaged["generator"]
        made = made_heads(generator, 4, torch.Generator().manual_seed(0))
        decoded = generator.decode(made.rendering, made.decoder_codes)
        rng, size = torch.Generator().manual_seed(0), generator.config.image_size
        real, _ = real_pictures(self.pictures, size, 4, rng, "cpu")
        save_sheet([real, decoded.image.cpu()], path)
