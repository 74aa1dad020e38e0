"""The decoder of the avatar composer: rendered features and masks to pictures twice as large.

As in the published second stage, the volume is frozen. It is rendered at half the size of the
renders that the decoder is compared with, so a picture needs a quarter of the rays. The decoder
has one style code for all heads: it knows no attributes, so that regions stay independent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.errors import UserError
from triptych.metrics.image_metrics import psnr_from_mse, sharpness
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionDecoderConfig
from triptych.systems.compose.training.rendered_maps import DecodedBatch, RenderedMaps
from triptych.systems.compose.training.supervised import REGION_WEIGHTS
from triptych.systems.compose.training.whole_pictures import measure_pictures, save_pictures
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_network

LOOP = LoopConfig(learning_rate=5e-4, weight_rate_gain=8.0, betas=(0.9, 0.99), ema_decay=0.998)


@dataclass(frozen=True)
class Options:
    """Data, sizes, batch and loss weights.

    Attributes:
        volume: Generator of regions (.safetensors) that `train composer` made.
        shards: Folder of avatar shards to train on, of the size of the final pictures.
        test_shards: Folder of avatar shards of held-out heads.
        render_size: Rays along each side.
        num_samples: Samples per ray; the volume's own number when None.
        feature_width: Channels after the first convolution.
        widths: Channels at the size of the rays and after each doubling.
        batch: Pictures per step.
        kept_heads, refresh_steps: See `RenderedMaps`.
        l1, mse, gradient, perceptual, region: Weights of the loss terms; region is the squared
            error of the masks.
        device: Training device, as torch spells it.
    """

    volume: str = "runs/composer/composer.safetensors"
    shards: str = "runs/data/prior"
    test_shards: str = "runs/data/prior_test"
    render_size: int = 64
    num_samples: int | None = None
    feature_width: int = 48
    widths: tuple[int, ...] = (48, 32)
    batch: int = 4
    kept_heads: int = 200
    refresh_steps: int = 8
    l1: float = 1.0
    mse: float = 2.0
    gradient: float = 1.0
    perceptual: float = 0.5
    region: float = 1.0
    device: str = "cpu"


def build(options: Options) -> ComposerDecoderRecipe:
    """Build the recipe with a new decoder behind a trained volume."""
    return ComposerDecoderRecipe(options)


def export(recipe: ComposerDecoderRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write volume and averaged decoder as a self-describing fp16 weight file."""
    save_trained(recipe, result, "generator", out, heads=len(recipe.shards))


def with_decoder(volume: RegionGenerator, options: Options) -> RegionGenerator:
    """Return a generator of the same volume with a new decoder.

    Raises:
        UserError: The volume is not one of attributes.
    """
    config = volume.config
    if config.latent_kind != "attributes":
        raise UserError(
            f"the volume's latents are '{config.latent_kind}'; expected a generator of regions "
            "from `triptych train composer`, whose latents are attributes"
        )
    sampling = replace(config.sampling, num=options.num_samples or config.sampling.num)
    decoder = RegionDecoderConfig(
        feature_width=options.feature_width, style_dim=8, mapping_layers=1, widths=options.widths
    )
    generator = RegionGenerator(
        replace(config, render_size=options.render_size, sampling=sampling, decoder=decoder)
    )
    own = {f"{part}.{name}" for part in _LEARNS for name in getattr(generator, part).state_dict()}
    tensors = {name: value for name, value in volume.state_dict().items() if name not in own}
    fresh = {name: value for name, value in generator.state_dict().items() if name in own}
    generator.load_state_dict({**tensors, **fresh})
    return generator


_LEARNS = ("decoder", "feature_transfer")


class ComposerDecoderRecipe:
    """Regression of renders from what a frozen `RegionGenerator` volume shows."""

    name = "composer-decoder"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.shards, self.test_shards = ShardSet(options.shards), ShardSet(options.test_shards)
        generator = with_decoder(load_network(options.volume, "region-generator"), options)
        for shards in (self.shards, self.test_shards):
            if shards.size != generator.config.image_size:
                raise UserError(
                    f"renders are {shards.size} pixels wide; expected "
                    f"{generator.config.image_size}: render_size {options.render_size}, doubled "
                    f"{len(options.widths) - 1} times"
                )
        self.generator = generator.to(options.device).train().requires_grad_(False)
        for part in _LEARNS:
            self.generator.get_submodule(part).requires_grad_(True)
        for name, parameter in self.generator.named_parameters():
            if name.endswith("noise.weight"):
                parameter.requires_grad_(False)  # noise would stick to the screen
        self.modules: Modules = {"generator": self.generator}
        self.maps = RenderedMaps(
            self.generator,
            self.shards,
            kept=options.kept_heads,
            refresh_steps=options.refresh_steps,
        )
        self.region_weights = torch.tensor(REGION_WEIGHTS, device=options.device)
        self.perceptual = AvatarPerceptualDistance.from_pretrained().to(options.device)

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        batch = self.maps.draw(self.options.batch, rng)
        code = self.generator.shared_decoder_code()
        assert code is not None
        decoded = self.generator.decode(batch.rendered, code.expand(len(batch.image), -1))
        assert decoded.regions is not None
        return self._compared(decoded.image, decoded.regions, batch)

    def _compared(
        self, pred: Tensor, masks: Tensor, batch: DecodedBatch
    ) -> tuple[Tensor, dict[str, float]]:
        options = self.options
        weight = self.region_weights[batch.regions][:, None]
        difference = (pred - batch.image) / 2
        true_masks = F.one_hot(batch.regions, masks.shape[1]).movedim(-1, 1).to(masks)
        terms = {
            "l1": (difference.abs() * weight).mean(),
            "mse": (difference.square() * weight).mean(),
            "gradient": difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean(),
            "perceptual": self.perceptual(pred, batch.image).mean(),
            "region": ((masks - true_masks).square() * weight).mean(),
        }
        loss = torch.stack([getattr(options, name) * term for name, term in terms.items()]).sum()
        figures = {name: float(term.detach()) for name, term in terms.items()}
        mean_square = difference.detach().square().mean()
        figures["psnr"] = float(psnr_from_mse(mean_square, peak_to_peak=1.0))
        figures["sharpness"] = float((sharpness(pred.detach()) / sharpness(batch.image)).mean())
        return loss, figures

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        return measure_pictures(averaged["generator"], self.test_shards, heads=12)

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        save_pictures(averaged["generator"], self.test_shards, path)
