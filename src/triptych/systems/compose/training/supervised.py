"""The avatar composer: CNeRF's classes, narrow, distilled from rendered avatars.

The latent is an avatar's attribute vector, of which each region gets its own part, so that regions
are independent by construction. Rays through patches of renders are compared in colour, opacity,
depth and region, with samples round the known surfaces. There is no decoder: rays are cast at the
size of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.metrics.image_metrics import psnr_from_mse
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.eg3d_config import ViewConfig
from triptych.render.guided_rays import GuidedSampling
from triptych.render.rays import Rays
from triptych.render.renderer import RenderedRays, composite, query_along
from triptych.systems.compose.folded_field import FoldedRegionField
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionGeneratorConfig, RegionSampling
from triptych.systems.compose.regions import AVATAR_ORDER
from triptych.systems.compose.training.first_shape import (
    fit_sphere,
    flatten_residuals,
    hold_first_shape,
    softness,
)
from triptych.systems.compose.training.surprises import inside_surprise, region_surprise
from triptych.systems.compose.training.whole_pictures import measure_pictures, save_pictures
from triptych.training.avatar_patches import AvatarPatches, PatchBatch, PatchPlan
from triptych.training.loop import (
    LoopConfig,
    Modules,
    Progress,
    TrainingResult,
)
from triptych.training.parameter_groups import ParameterGroup
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_network

LOOP = LoopConfig(learning_rate=3e-3, betas=(0.9, 0.99), ema_decay=0.998)

# Region: background, face, eye, brow, mouth, nose, ear, hair, neck and cloth.
REGION_WEIGHTS = (0.8, 1.3, 4.0, 2.0, 3.0, 2.0, 4.0, 1.2, 1.2)
# Softness of surfaces in camera distances, and the steps after which it has halved.
_FIRST_BETA, _LEAST_BETA, _BETA_STEPS = 0.01, 0.0012, 500
_SINE_GAIN, _DISTANCE_GAIN = 0.15, 0.02
_HALF_BOX_SHARE = 0.19


@dataclass(frozen=True)
class Options:
    """Data, sizes, batch and loss weights.

    Attributes:
        shards: Folder of avatar shards to train on.
        test_shards: Folder of avatar shards of held-out heads.
        start_from: Generator of regions (.safetensors) to start from; a new one when None.
        hidden: Width of the region networks.
        image_size: Rays along each side of a picture.
        num_samples: Samples per ray of pictures; training rays have those of the guided sampling.
        sphere_steps: Steps of the initial shape's fit.
        batch_heads: Heads per step.
        batch_views: Cameras per head and step.
        patch: Side of a patch in rays.
        strides: Pixel steps between the rays of a patch; drawn uniformly.
        face_share: Share of the patches that are centred on eyes, brows, mouth, nose or ears.
        l1, mse, opacity, depth, region, gradient, inside: Weights of the loss terms; region is the
            cross-entropy of the composited regions, inside that of the signs of distances.
        device: Training device, as torch spells it.
    """

    shards: str = "runs/data/prior"
    test_shards: str = "runs/data/prior_test"
    start_from: str | None = None
    hidden: int = 48
    image_size: int = 128
    num_samples: int = 64
    sphere_steps: int = 400
    batch_heads: int = 6
    batch_views: int = 2
    patch: int = 16
    strides: tuple[int, ...] = (1, 2, 3, 4)
    face_share: float = 0.4
    l1: float = 1.0
    mse: float = 2.0
    opacity: float = 0.5
    depth: float = 1.0
    region: float = 0.2
    gradient: float = 1.0
    inside: float = 1.0
    device: str = "cpu"


def avatar_regions_config(options: Options) -> RegionGeneratorConfig:
    """Return the configuration of the avatar composer.

    Regions do not see from where they are looked at, shares of regions add up to 1, and what is
    beyond the head is the plain background of the avatar models.
    """
    return RegionGeneratorConfig(
        regions=AVATAR_ORDER,
        style_dim=ATTRIBUTE_DIM,
        hidden=options.hidden,
        latent_kind="attributes",
        render_size=options.image_size,
        extent=_HALF_BOX_SHARE,
        view=ViewConfig(),
        sampling=RegionSampling(num=options.num_samples, directions="none"),
        membership="softmax",
        last_sample="ignored",
        background=0.5,
        decoder=None,
    )


def build(options: Options) -> ComposerRecipe:
    """Build the recipe with a new or given generator."""
    return ComposerRecipe(options)


def export(recipe: ComposerRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged generator as a self-describing fp16 weight file."""
    save_trained(recipe, result, "generator", out, heads=len(recipe.shards))


class ComposerRecipe:
    """Distillation of avatars into a `RegionGenerator`."""

    name = "composer"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.shards, self.test_shards = ShardSet(options.shards), ShardSet(options.test_shards)
        self.generator = self._first_generator().to(options.device)
        self.generator.train().requires_grad_(True)
        self.generator.renderer.init_network.requires_grad_(False)
        self.generator.renderer.sigmoid_beta.requires_grad_(False)
        self.modules: Modules = {"generator": self.generator}
        self.sampling = GuidedSampling()
        self.patches = AvatarPatches(
            self.shards,
            PatchPlan(
                heads=options.batch_heads,
                views=options.batch_views,
                patch=options.patch,
                strides=options.strides,
                face_share=options.face_share,
            ),
        )
        self.region_weights = torch.tensor(REGION_WEIGHTS)

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        softness(self.generator, softness_at(progress.step))
        batch = self.patches.draw(generator).to(self.options.device)
        rays, depths, length = batch.guided_rays(self.sampling, generator)
        heads = len(batch.attributes)
        codes = self.generator.codes_of_attributes(batch.attributes)
        field = FoldedRegionField.of(self.generator.field(codes))
        by_head = Rays(rays.origins.reshape(heads, -1, 3), rays.directions.reshape(heads, -1, 3))
        depths = depths.reshape(heads, -1, depths.shape[2])
        sample = query_along(field, by_head, depths)
        rendered = composite(sample, depths, self.generator.rendering_config())
        surface = batch.depth * length
        loss, figures = self._compare(batch, rendered, surface)
        inside = inside_surprise(
            sample.geometry[..., 0],
            depths - surface.reshape(heads, -1, 1),
            (batch.opacity.reshape(heads, -1, 1) > 0.5),
        )
        figures["inside"] = float(inside.detach())
        return loss + self.options.inside * inside, figures

    def groups(self) -> list[ParameterGroup]:
        """Return parameters by what a step of theirs does.

        What a sine layer sums is multiplied by thirty, and distances are counted in units of the
        camera's distance, in which a head is a tenth wide.
        """
        gains = {"sine": _SINE_GAIN, "distance": _DISTANCE_GAIN, "other": 1.0}
        found: dict[str, list[torch.nn.Parameter]] = {name: [] for name in gains}
        for name, parameter in self.generator.named_parameters():
            if parameter.requires_grad:
                found[_kind(name)].append(parameter)
        return [ParameterGroup(found[kind], gain) for kind, gain in gains.items()]

    def _compare(
        self, batch: PatchBatch, rendered: RenderedRays, surface: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        options, side, pictures = self.options, self.options.patch, len(batch.rgb)
        weight = self.region_weights.to(batch.rgb)[batch.regions]
        difference = (rendered.features[..., :3].reshape(pictures, -1, 3) - batch.rgb) / 2
        alpha = rendered.alpha.reshape(pictures, -1)
        solid = (batch.opacity > 0.99).float()
        away = (rendered.depth.reshape(pictures, -1) - surface).abs() * alpha
        image = difference.reshape(-1, side, side, 3)
        terms = {
            "l1": (difference.abs().mean(-1) * weight).mean(),
            "mse": (difference.square().mean(-1) * weight).mean(),
            "opacity": (alpha - batch.opacity).abs().mean(),
            "depth": (away * solid).mean(),
            "region": (region_surprise(rendered, batch.regions) * weight).mean(),
            "gradient": image.diff(dim=1).abs().mean() + image.diff(dim=2).abs().mean(),
        }
        loss = torch.stack([getattr(options, name) * term for name, term in terms.items()]).sum()
        figures = {name: float(term.detach()) for name, term in terms.items()}
        mean_square = difference.detach().square().mean()
        figures["psnr"] = float(psnr_from_mse(mean_square, peak_to_peak=1.0))
        return loss, figures

    def _first_generator(self) -> RegionGenerator:
        options = self.options
        if options.start_from is not None:
            return load_network(options.start_from, "region-generator")
        generator = RegionGenerator(avatar_regions_config(options))
        rng = torch.Generator().manual_seed(0)
        fit_sphere(generator, steps=options.sphere_steps, rate=1e-3, rng=rng)
        hold_first_shape(generator)
        flatten_residuals(generator)
        softness(generator, softness_at(0))
        return generator

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        return measure_pictures(averaged["generator"], self.test_shards, heads=4)

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        save_pictures(averaged["generator"], self.test_shards, path)


def softness_at(step: int) -> float:
    """Return how soft surfaces are at a step, in camera distances: ever less, down to a limit."""
    return max(_LEAST_BETA, _FIRST_BETA * 0.5 ** (step / _BETA_STEPS))


def _kind(name: str) -> str:
    """Return what kind of parameter a name is; see `ComposerRecipe.groups`."""
    if "sdf_linear" in name:
        return "distance"
    return "sine" if "shape_linears" in name or "texture_linears" in name else "other"
