"""Pre-training of FF3D's Image-to-Triplane network on the prior's own heads (Eq. 4).

The network sees the frontal picture of a head that the prior made and learns the planes it was
made from. The planes hold much that no ray ever meets, so besides the paper's L1 on planes, rays
through both sets of planes are compared: same samples, same rays, another set of planes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.camera import look_at_camera, random_views
from triptych.errors import UserError
from triptych.metrics.image_metrics import psnr_from_mse
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.spatial_modulation import Modulation
from triptych.ops.placement import channels_last
from triptych.ops.precision import half_precision_where_fast
from triptych.render.patches import draw_patches, rays_of
from triptych.render.rays import Rays, camera_rays
from triptych.render.renderer import render_at_depths
from triptych.render.surface_depths import surface_depths
from triptych.systems.stylize.frontal_cache import FrontalCache
from triptych.systems.stylize.image_to_triplane import (
    ImageToTriplane,
    ImageToTriplaneConfig,
    avatar_config,
    official_config,
)
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.plane_statistics import plane_statistics
from triptych.training.sheets import save_sheet
from triptych.training.trained_weights import save_trained

LOOP = LoopConfig(learning_rate=1e-3, betas=(0.9, 0.99), ema_decay=0.998)

_FIRST_TRAINING_SEED = 100_000
_FIRST_TEST_SEED = 9_000


@dataclass(frozen=True)
class Options:
    """The prior, the batch and the loss weights.

    Attributes:
        generator: The prior: a model's name or a weight file.
        start_from: Network weights (.safetensors) to begin with; fresh ones when None.
        cache: Folder of the frontal pictures; they are rendered when absent.
        cached_heads: How many heads have a frontal picture.
        batch_heads: Heads per step.
        batch_views: Patches of rays per head and step.
        patch: Side of a patch in rays.
        strides: Pixel steps between a patch's rays; drawn evenly.
        yaw_range, pitch_range: Largest angles of the cameras of the rays, in radians.
        coarse: Samples that find the surface; seen without gradient, half of them compared.
        fine: Samples round the surface, half of them round the network's own.
        plane: Weight of the L1 on whitened planes (Eq. 4).
        colour, opacity, depth: Weights of the comparison of rays.
        modulation: Eq. 3 with one map per channel or one for all.
        vector_code: Train the ablation whose style code has no places.
        device: Training device, as torch spells it.
    """

    generator: str = "avatar-generator"
    start_from: str | None = None
    cache: str = "runs/data/i2t"
    cached_heads: int = 4000
    batch_heads: int = 8
    batch_views: int = 2
    patch: int = 16
    strides: tuple[int, ...] = (1, 2, 4, 8)
    yaw_range: float = 0.65
    pitch_range: float = 0.55
    coarse: int = 16
    fine: int = 10
    plane: float = 1.0
    colour: float = 4.0
    opacity: float = 2.0
    depth: float = 4.0
    modulation: Modulation = "full"
    vector_code: bool = False
    device: str = "cpu"


def build(options: Options) -> ImageToTriplaneRecipe:
    """Build the recipe with a fresh or given network."""
    return ImageToTriplaneRecipe(options)


def export(recipe: ImageToTriplaneRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged network as a self-describing fp16 weight file."""
    heads, generator = len(recipe.cache), recipe.options.generator
    save_trained(recipe, result, "image_to_triplane", out, heads=heads, generator=generator)


class ImageToTriplaneRecipe:
    """Distillation of a generator's planes into an `ImageToTriplane`."""

    name = "i2t"

    def __init__(self, options: Options) -> None:
        from triptych.systems.stylize.models import load_image_to_triplane
        from triptych.weights.loading import load_generator

        self.options = options
        # In training mode its convolutions take the form that is fast for batches.
        generator = load_generator(options.generator, options.device)
        self.generator = channels_last(generator).train()
        self.cache = FrontalCache(
            options.cache, self.generator, options.cached_heads, _FIRST_TRAINING_SEED
        )
        if options.start_from is None:
            network = ImageToTriplane(_network_config(self.generator, options))
            network.set_plane_statistics(*plane_statistics(self.generator))
        else:
            network = load_image_to_triplane(options.start_from).requires_grad_(True)
        self.network = channels_last(network.to(options.device)).train()
        self.modules: Modules = {"image_to_triplane": self.network}

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options, network = self.options, self.network
        heads = torch.randint(len(self.cache), (options.batch_heads,), generator=generator)
        images, latents = (part.to(options.device) for part in self.cache.get(heads))
        with torch.no_grad(), half_precision_where_fast(images.device):
            planes = self.generator.planes(self.generator.mapping(latents)).float()
        with half_precision_where_fast(images.device):
            whitened = network.decode_whitened(network.encode(images))
        target = (planes - network.plane_mean) / network.plane_std
        plane = (whitened - target).abs().mean()
        guessed = torch.addcmul(network.plane_mean, network.plane_std, whitened)
        colour, opacity, depth = self._compare_rays(guessed, planes, generator)
        loss = (
            options.plane * plane
            + options.colour * colour
            + options.opacity * opacity
            + options.depth * depth
        )
        figures = {"plane": plane, "colour": colour, "opacity": opacity, "depth": depth}
        return loss, {name: float(figure.detach()) for name, figure in figures.items()}

    def _compare_rays(
        self, guessed: Tensor, planes: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the L1 of colour, opacity and opacity-weighted depth over random patches."""
        config = self.generator.config.rendering
        rays = self._draw_rays(len(planes), generator).to(planes.device)
        with half_precision_where_fast(planes.device):
            true_field, field = self.generator.field(planes), self.generator.field(guessed)
            with torch.no_grad():
                depths = self._depths(true_field, field, rays, generator)
                true = render_at_depths(true_field, rays, depths, config)
            made = render_at_depths(field, rays, depths, config)
        colour = (made.features[..., :3] - true.features[..., :3]).abs().mean()
        opacity = (made.alpha - true.alpha).abs().mean()
        depth = ((made.depth - true.depth).abs() * true.alpha).mean()
        return colour, opacity, depth

    def _draw_rays(self, heads: int, generator: torch.Generator) -> Rays:
        """Return rays [heads, views * patch * patch, 3] of patches of random views."""
        options, size = self.options, self.generator.config.render_size
        views = heads * options.batch_views
        yaw, pitch = options.yaw_range, options.pitch_range
        cameras = random_views(views, (-yaw, yaw), (-pitch, pitch), generator)
        pixels, _ = draw_patches(views, size, options.patch, options.strides, generator)
        chosen = rays_of(camera_rays(cameras, size), pixels)
        return Rays(chosen.origins.reshape(heads, -1, 3), chosen.directions.reshape(heads, -1, 3))

    def _depths(
        self, true_field: Any, field: Any, rays: Rays, generator: torch.Generator
    ) -> Tensor:
        """Choose samples: some spread out, most where either field has its surface.

        Matter that only the network puts somewhere has to be met, or it costs nothing.
        """
        options, shape = self.options, rays.origins.shape[:2]
        config = self.generator.config.rendering
        jitter = torch.rand(*shape, options.coarse, generator=generator).to(rays.origins)
        uniform = torch.rand(*shape, options.fine, generator=generator).to(rays.origins)
        there, here = uniform.tensor_split(2, dim=-1)
        true = surface_depths(true_field, rays, config, jitter, there)
        made = surface_depths(field, rays, config, jitter, here, keep_every=options.coarse)
        return torch.cat([true, made], dim=-1).sort(dim=-1).values

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        rows, plane = self._compare_whole(averaged["image_to_triplane"], heads=12)
        errors = torch.stack([(row[-1] - row[-2]).square().mean() for row in rows])
        side_psnr = psnr_from_mse(errors).mean()
        return {"plane_l1": round(plane, 4), "side_psnr": round(float(side_psnr), 3)}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        rows, _ = self._compare_whole(averaged["image_to_triplane"], heads=6)
        save_sheet(rows, path, ("input", "network", "true side", "network side"))

    def _compare_whole(self, module: Any, heads: int) -> tuple[list[Tensor], float]:
        """Return rows [4, 3, h, w] (input, network, true side, network side) of unseen heads."""
        cameras = look_at_camera(torch.tensor([0.0, 0.5]), torch.tensor([0.0, 0.1]))
        cameras = cameras.to(self.options.device)
        rows, plane = [], 0.0
        for seed in range(_FIRST_TEST_SEED, _FIRST_TEST_SEED + heads):
            latent = self.generator.latent(seed)
            with half_precision_where_fast(latent.device):
                ws = self.generator.mapping(latent)
                planes = self.generator.planes(ws).float()
                true = self.generator.render(planes, ws, cameras).image
                guessed = module(true[:1])
                made = self.generator.render(guessed, ws, cameras).image
            error = (guessed - planes) / module.plane_std
            plane += float(error.abs().mean()) / heads
            rows.append(torch.stack([true[0], made[0], true[1], made[1]]).float())
        return rows, plane


def _network_config(generator: TriPlaneGenerator, options: Options) -> ImageToTriplaneConfig:
    backbone = generator.config.backbone
    if backbone.plane_size == 256 and backbone.plane_channels == 32:
        config = official_config()
    elif backbone.plane_size == 128:
        config = avatar_config(backbone.plane_size, backbone.plane_channels)
    else:
        raise UserError(
            f"planes of {backbone.plane_size} pixels: there is an Image-to-Triplane size for 128 "
            "and for 256 pixels with 32 channels; start from weights of your own size instead"
        )
    if options.vector_code:
        config = replace(config, code_pooling="vector")
    return replace(config, modulation=options.modulation)
