"""CNeRF's first stage: the volume is learned from small pictures with masks, adversarially.

Steps take turns: even ones teach the discriminators, odd ones the generator. Before them the first
shape is fitted to a sphere, as published; it is frozen from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.render.rays import camera_rays
from triptych.systems.compose.data.region_set import RegionSet
from triptych.systems.compose.discriminators import (
    SEMANTIC_WIDTHS,
    VOLUME_WIDTHS,
    DiscriminatorWidths,
    SemanticDiscriminator,
    VolumeDiscriminator,
    mask_of,
)
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionGeneratorConfig, RegionSampling
from triptych.systems.compose.losses import (
    eikonal_gradient,
    eikonal_loss,
    minimal_surface_loss,
    view_loss,
)
from triptych.systems.compose.region_field import RegionField
from triptych.systems.compose.region_rays import plan_depths
from triptych.systems.compose.training.adversarial import (
    Made,
    made_heads,
    real_pictures,
    weighted_r1,
)
from triptych.systems.compose.training.chunks import Losses, check_chunks, in_chunks, learn_only
from triptych.systems.compose.training.first_shape import PUBLISHED_STEPS, distance_to_sphere
from triptych.training.adversarial_losses import fooling_loss, real_scores_loss
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.parameter_groups import ParameterGroup
from triptych.training.sheets import save_sheet
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_network

# The average moves in every step, the generator in every other: 0.5 ** (32 / 10000) for two.
LOOP = LoopConfig(
    learning_rate=2e-5,
    betas=(0.0, 0.9),
    final_rate=1.0,
    warmup_steps=1,
    gradient_clip=1e9,
    ema_decay=0.5 ** (16 / 10_000),
    shared_draws=True,
)
_DISCRIMINATOR_GAIN = 10.0  # 2e-4


@dataclass(frozen=True)
class Options:
    """Data, sizes, batch and loss weights; the defaults are the published ones.

    Attributes:
        pictures: Folder of a set of regions (`triptych data regions`) with pictures of size.
        start_from: Generator of regions (.safetensors) to start from; a new one when None.
        style_dim: Width of latents and codes.
        hidden: Width of the region networks.
        size: Rays along each side, and side of the real pictures.
        num_samples: Samples per ray.
        volume_widths: Channels of the discriminator of the volume; see `DiscriminatorWidths`.
        semantic_widths: Channels of the discriminator of one region.
        sphere_steps: First steps, which fit the first shape to a sphere.
        batch: Pictures per step.
        chunk: Pictures at once.
        r1_image, r1_masks, view, semantic, eikonal, surface: Weights of the loss terms.
        device: Training device, as torch spells it.
    """

    pictures: str = "runs/data/regions"
    start_from: str | None = None
    style_dim: int = 256
    hidden: int = 128
    size: int = 64
    num_samples: int = 24
    volume_widths: tuple[int, ...] = VOLUME_WIDTHS.widths
    semantic_widths: tuple[int, ...] = SEMANTIC_WIDTHS.widths
    sphere_steps: int = PUBLISHED_STEPS
    batch: int = 4
    chunk: int = 2
    r1_image: float = 10.0
    r1_masks: float = 1000.0
    view: float = 15.0
    semantic: float = 1.0
    eikonal: float = 0.1
    surface: float = 0.001
    device: str = "cpu"


def build(options: Options) -> StageOneRecipe:
    """Build the recipe with a new or given generator."""
    return StageOneRecipe(options)


def export(recipe: StageOneRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged generator as a self-describing fp16 weight file."""
    save_trained(recipe, result, "generator", out, pictures=len(recipe.pictures))


class StageOneRecipe:
    """Adversarial training of a `RegionGenerator` without decoder."""

    name = "compose-volume"

    def __init__(self, options: Options) -> None:
        check_chunks(options.batch, options.chunk)
        self.options, self.pictures = options, RegionSet(options.pictures)
        self.pictures.check_size(options.size)
        regions = self.pictures.description.regions
        if options.start_from is None:
            config = RegionGeneratorConfig(
                regions=regions,
                style_dim=options.style_dim,
                hidden=options.hidden,
                render_size=options.size,
                sampling=RegionSampling(num=options.num_samples, directions="real"),
                decoder=None,
            )
            self.generator = RegionGenerator(config)
        else:
            self.generator = load_network(options.start_from, "region-generator")
        self.generator.to(options.device).train().requires_grad_(True)
        widths = options.volume_widths, options.semantic_widths
        of_volume, of_region = (DiscriminatorWidths(own, len(regions)) for own in widths)
        self.volume = VolumeDiscriminator(of_volume).to(options.device)
        self.semantic = SemanticDiscriminator(of_region).to(options.device)
        self.modules: Modules = {
            "generator": self.generator,
            "volume": self.volume,
            "semantic": self.semantic,
        }

    def groups(self) -> list[ParameterGroup]:
        """Return the generator and, at ten times its rate, the discriminators."""
        discriminators = [*self.volume.parameters(), *self.semantic.parameters()]
        return [
            ParameterGroup(list(self.generator.parameters())),
            ParameterGroup(discriminators, _DISCRIMINATOR_GAIN),
        ]

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options, step = self.options, progress.step
        if options.start_from is None and step < options.sphere_steps:
            distance = distance_to_sphere(self.generator, generator)
            return distance, {"sphere": float(distance.detach())}
        if step % 2 == 0:
            learn_only(self.volume, self.generator)
            self.semantic.requires_grad_(True)
            return in_chunks(options.batch, options.chunk, self._teaching, generator, progress)
        learn_only(self.generator, self.volume, self.semantic)
        return in_chunks(options.batch, options.chunk, self._fooling, generator, progress)

    def _teaching(self, num: int, rng: torch.Generator) -> Losses:
        """Return what the discriminators get wrong about so many real and made pictures."""
        options = self.options
        with torch.no_grad():
            made = made_heads(self.generator, num, rng)
        images, masks = real_pictures(self.pictures, options.size, num, rng, options.device)
        images.requires_grad_(True)
        masks.requires_grad_(True)
        rendering = made.rendering
        assert rendering.regions is not None
        real, _ = self.volume(images, masks)
        fake, view = self.volume(rendering.image, rendering.regions)
        chosen = self._some_regions(num, rng)
        of_real, real_names = self.semantic(images, mask_of(masks, chosen))
        of_fake, fake_names = self.semantic(rendering.image, mask_of(rendering.regions, chosen))
        names = F.cross_entropy(real_names, chosen) + F.cross_entropy(fake_names, chosen)
        return {
            "volume": real_scores_loss(real, fake),
            "volume_r1": self._r1(real, (images, masks)),
            "view": options.view * view_loss(view, made.view),
            "semantic": options.semantic * (real_scores_loss(of_real, of_fake) + names),
            "semantic_r1": options.semantic * self._r1(of_real, (images, masks)),
        }

    def _fooling(self, num: int, rng: torch.Generator) -> Losses:
        """Return what gives so many heads away, and what is wrong with their surfaces."""
        options = self.options
        made = made_heads(self.generator, num, rng)
        rendering = made.rendering
        assert rendering.regions is not None
        scores, view = self.volume(rendering.image, rendering.regions)
        chosen = self._some_regions(num, rng)
        of_region, names = self.semantic(rendering.image, mask_of(rendering.regions, chosen))
        field, points = self._samples(made)
        distance = field.networks.residual_sdf(points / field.config.half_box, made.codes)
        with torch.no_grad():  # nothing is learned through the first shape
            first = field.networks.initial_sdf(points / field.config.half_box, made.codes)
        return {
            "fooling": fooling_loss(scores),
            "fooling_view": options.view * view_loss(view, made.view),
            "fooling_region": options.semantic
            * (fooling_loss(of_region) + F.cross_entropy(names, chosen)),
            "eikonal": options.eikonal * eikonal_loss(eikonal_gradient(field, points)),
            "surface": options.surface * minimal_surface_loss(distance + first),
        }

    def _samples(self, made: Made) -> tuple[RegionField, Tensor]:
        """Return the volume of heads and the points [b, n, 3] of samples along their rays."""
        config = self.generator.config
        rays = camera_rays(made.camera, config.render_size)
        points = rays.points(plan_depths(rays, made.camera, config).along_ray)
        return self.generator.field(made.codes), points.flatten(1, 2)

    def _some_regions(self, num: int, rng: torch.Generator) -> Tensor:
        drawn = torch.randint(self.generator.config.num_regions, (num,), generator=rng)
        return drawn.to(self.options.device)

    def _r1(self, scores: Tensor, inputs: tuple[Tensor, Tensor]) -> Tensor:
        weights = self.options.r1_image, self.options.r1_masks
        return weighted_r1(scores, inputs, weights)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        made = self._samples_of(averaged["generator"])
        return {"opacity": round(float(made.rendering.alpha.mean()), 4)}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        made = self._samples_of(averaged["generator"])
        rng = torch.Generator().manual_seed(0)
        real, _ = real_pictures(self.pictures, self.options.size, len(made.codes), rng, "cpu")
        save_sheet([real, made.rendering.image.cpu()], path)

    def _samples_of(self, generator: Any) -> Made:
        return made_heads(generator, 4, torch.Generator().manual_seed(0))
