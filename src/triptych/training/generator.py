"""The avatar generator: EG3D's generator at avatar size, distilled from rendered avatars.

The latent of a picture is the attribute vector of its avatar, so the generator is trained by
regression without a discriminator: rays through patches of several heads are compared with the
renders in colour, opacity and depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from triptych.avatars.sets.shards import ShardSet
from triptych.camera import Camera
from triptych.metrics.image_metrics import psnr, psnr_from_mse
from triptych.models.eg3d import TriPlaneGenerator, avatar_config
from triptych.ops.placement import channels_last
from triptych.ops.precision import half_precision_where_fast
from triptych.render.guided_rays import GuidedSampling
from triptych.render.rays import Rays
from triptych.render.renderer import RenderedRays, render_at_depths
from triptych.training.avatar_patches import AvatarPatches, PatchBatch, PatchPlan
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.passthrough_latents import learn_only_passthrough, with_passthrough
from triptych.training.sheets import save_sheet
from triptych.training.trained_weights import save_trained

LOOP = LoopConfig(learning_rate=1.4e-3, weight_rate_gain=16.0, betas=(0.9, 0.99), ema_decay=0.998)

# Region: background, face, eye, brow, mouth, nose, ear, hair, neck and cloth.
REGION_WEIGHTS = (0.8, 1.3, 4.0, 2.0, 3.0, 2.0, 4.0, 1.2, 1.2)
# Hues vary most where only the attributes determine them: in cloth, then in hair.
CHROMA_WEIGHTS = (0.8, 1.3, 2.0, 1.0, 3.0, 2.0, 1.5, 2.0, 4.0)


@dataclass(frozen=True)
class Options:
    """Data, batch and loss weights.

    Attributes:
        shards: Folder of avatar shards to train on.
        test_shards: Folder of avatar shards of held-out heads.
        start_from: Generator weights (.safetensors) to start from; new ones when None.
        batch_heads: Heads per step.
        batch_views: Cameras per head and step.
        patch: Side of a patch in rays.
        strides: Pixel steps between the rays of a patch; drawn uniformly.
        face_share: Share of the patches that are centred on eyes, brows, mouth, nose or ears.
        cloth_share: Share of the patches that are centred on neck and cloth.
        passthrough: Attributes that get code entries of their own; see
            `training.passthrough_latents`. A run that adds some trains nothing else.
        hold_mapping: Freeze the mapping network. At the learning rate that the synthesis network
            needs it drifts, and the passthrough latents slowly degrade.
        l1, mse, opacity, depth, gradient, chroma, perceptual: Weights of the loss terms; chroma is
            the distance of colours less their mean over red, green and blue.
        features: Feature network (.safetensors) of the perceptual term; unused at weight 0.
        device: Training device, as torch spells it.
    """

    shards: str = "runs/data/prior"
    test_shards: str = "runs/data/prior_test"
    start_from: str | None = None
    batch_heads: int = 8
    batch_views: int = 3
    patch: int = 24
    strides: tuple[int, ...] = (1, 2, 3, 4)
    face_share: float = 0.35
    cloth_share: float = 0.0
    passthrough: tuple[str, ...] = ()
    hold_mapping: bool = False
    l1: float = 1.0
    mse: float = 2.0
    opacity: float = 0.5
    depth: float = 1.0
    gradient: float = 1.0
    chroma: float = 3.0
    perceptual: float = 0.0
    features: str | None = None
    device: str = "cpu"


def build(options: Options) -> GeneratorRecipe:
    """Build the recipe with a new or given generator."""
    return GeneratorRecipe(options)


def export(recipe: GeneratorRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged generator as a self-describing fp16 weight file."""
    save_trained(recipe, result, "generator", out, heads=len(recipe.shards))


class GeneratorRecipe:
    """Distillation of avatars into a `TriPlaneGenerator`."""

    name = "generator"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.shards, self.test_shards = ShardSet(options.shards), ShardSet(options.test_shards)
        z_dim = int(self.shards.get("attributes", 0).shape[0])
        if options.start_from is None:
            self.generator = TriPlaneGenerator(avatar_config(z_dim))
        else:
            from triptych.weights.loading import load_generator

            self.generator = load_generator(options.start_from)
        if options.passthrough:
            self.generator = with_passthrough(self.generator, options.passthrough)
        self.generator = channels_last(self.generator.to(options.device))
        self.generator.train().requires_grad_(True)
        if options.passthrough:
            learn_only_passthrough(self.generator, options.passthrough)
        elif options.hold_mapping:
            self.generator.backbone.mapping.requires_grad_(False)
        self.modules: Modules = {"generator": self.generator}
        rendering = self.generator.config.rendering
        self.sampling = GuidedSampling(
            near=float(rendering.ray_start), far=float(rendering.ray_end)
        )
        self.patches = AvatarPatches(
            self.shards,
            PatchPlan(
                heads=options.batch_heads,
                views=options.batch_views,
                patch=options.patch,
                strides=options.strides,
                face_share=options.face_share,
                cloth_share=options.cloth_share,
            ),
        )
        self.region_weights = torch.tensor(REGION_WEIGHTS)
        self.chroma_weights = torch.tensor(CHROMA_WEIGHTS)
        self.perceptual = _perceptual(options)

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        batch = self.patches.draw(generator).to(self.options.device)
        rays, depths, length = batch.guided_rays(self.sampling, generator)
        surface, heads = batch.depth * length, len(batch.attributes)
        rays = Rays(rays.origins.reshape(heads, -1, 3), rays.directions.reshape(heads, -1, 3))
        with half_precision_where_fast(batch.attributes.device):
            ws = self.generator.mapping(batch.attributes)
            planes = self.generator.planes(ws)
            rendered = render_at_depths(
                self.generator.field(planes),
                rays,
                depths.reshape(heads, -1, depths.shape[2]),
                self.generator.config.rendering,
            )
        return self._compare(batch, rendered, surface)

    def _compare(
        self, batch: PatchBatch, rendered: RenderedRays, surface: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        options, side = self.options, self.options.patch
        pictures = len(batch.rgb)
        weight = self.region_weights.to(batch.rgb)[batch.regions]
        chroma_weight = self.chroma_weights.to(batch.rgb)[batch.regions]
        # Colours are compared on [0, 1], for which the weights of the terms were tuned.
        pred = rendered.features[..., :3].reshape(pictures, -1, 3)
        difference = (pred - batch.rgb) / 2
        l1 = (difference.abs().mean(-1) * weight).mean()
        mse = (difference.square().mean(-1) * weight).mean()
        pred_alpha = rendered.alpha.reshape(pictures, -1)
        opacity = (pred_alpha - batch.opacity).abs().mean()
        solid = (batch.opacity > 0.99).float()
        pred_depth = rendered.depth.reshape(pictures, -1) * pred_alpha
        depth = ((pred_depth - surface * pred_alpha).abs() * solid).mean()
        image = difference.reshape(-1, side, side, 3)
        gradient = image.diff(dim=1).abs().mean() + image.diff(dim=2).abs().mean()
        hue = difference - difference.mean(dim=-1, keepdim=True)
        chroma = (hue.abs().mean(-1) * chroma_weight).mean()
        loss = (
            options.l1 * l1
            + options.mse * mse
            + options.opacity * opacity
            + options.depth * depth
            + options.gradient * gradient
            + options.chroma * chroma
        )
        figures = {
            "l1": float(l1.detach()),
            "psnr": float(psnr_from_mse(difference.detach().square().mean(), peak_to_peak=1.0)),
            "opacity": float(opacity.detach()),
            "depth": float(depth.detach()),
            "gradient": float(gradient.detach()),
            "chroma": float(chroma.detach()),
        }
        if self.perceptual is not None:
            shape = (-1, side, side, 3)
            patches = [values.reshape(shape).permute(0, 3, 1, 2) for values in (pred, batch.rgb)]
            distance = self.perceptual(*patches).mean()
            loss = loss + options.perceptual * distance
            figures["perceptual"] = float(distance.detach())
        return loss, figures

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        pictures = self._compare_whole(averaged["generator"], heads=12)
        return {"psnr": round(float(psnr(pictures[:, 0], pictures[:, 1]).mean()), 3)}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        pictures = self._compare_whole(averaged["generator"], heads=8)
        save_sheet(list(pictures.reshape(-1, 4, *pictures.shape[2:])), path)

    def _compare_whole(self, module: nn.Module, heads: int) -> Tensor:
        """Return true and generated pictures [heads * 2, 2, 3, h, w] of held-out heads.

        Each from its first camera, nearly frontal, and from its third, or the last of fewer.
        """
        model: Any = module
        shards, pairs = self.test_shards, []
        for head in range(min(heads, len(shards))):
            attributes = torch.from_numpy(np.array(shards.get("attributes", head)))[None]
            attributes = attributes.to(self.options.device)
            with half_precision_where_fast(attributes.device):
                ws = model.mapping(attributes)
                planes = model.planes(ws)
            cameras = np.array(shards.get("cam2world", head))
            for view in (0, min(2, len(cameras) - 1)):
                cam2world = torch.from_numpy(cameras[view])[None]
                camera = Camera.with_focal(cam2world).to(attributes.device)
                pred = model.render(planes, ws, camera, render_size=shards.size).image[0].cpu()
                rgb = torch.from_numpy(np.array(shards.get("rgb", head)[0, view]))
                pairs.append(torch.stack([rgb.permute(2, 0, 1) / 127.5 - 1, pred]))
        return torch.stack(pairs)


def _perceptual(options: Options) -> Any:
    if options.perceptual == 0 or options.features is None:
        return None
    from triptych.metrics.perceptual import AvatarPerceptualDistance

    return AvatarPerceptualDistance.from_pretrained(options.features).to(options.device)
