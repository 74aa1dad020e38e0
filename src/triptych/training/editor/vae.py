"""The embedded editor's autoencoder: pictures of avatars to latents of a quarter of their side.

An edit can show only what the autoencoder reconstructs, so small features (eyes, brows, mouth) are
sampled more often and have larger weights. It is initialised as a linear patch code (see
`patch_pca`) and trained on crops.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from triptych.avatars.sets.shards import ShardSet
from triptych.avatars.styles.filters import FILTERS, apply_filter
from triptych.errors import UserError
from triptych.files import read_json, write_json
from triptych.metrics.image_metrics import psnr, psnr_from_mse
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.ops.colour import from_uint8
from triptych.ops.placement import channels_last
from triptych.ops.precision import half_precision_where_fast
from triptych.training.editor.networks import EditorNetworksConfig, build_vae
from triptych.training.editor.patch_pca import fit_patch_code, start_as_patch_code
from triptych.training.editor.wider_latents import widen_autoencoder
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.sheets import save_sheet

LOOP = LoopConfig(learning_rate=1e-3, weight_decay=1e-4, ema_decay=0.998)

WRITES_FOLDER = True

# Region: background, face, eye, brow, mouth, nose, ear, hair, neck and cloth.
REGION_WEIGHTS = (0.8, 1.0, 4.0, 2.0, 3.0, 1.5, 1.2, 1.0, 0.8)
_SMALL_FEATURES = (2, 3, 4, 5)
_EYES = 2
_DRAWINGS = tuple(FILTERS)
# Filters are slow compared to a training step: so many drawings are kept, one is renewed per step.
_KEPT_DRAWINGS = 240
_START_PICTURES = 256


@dataclass(frozen=True)
class Options:
    """Data, batch and loss weights.

    Attributes:
        shards: Folders of avatar shards to train on.
        test_shards: Folder of avatar shards of held-out heads.
        start_from: Folder of an autoencoder to start from; a patch code when None.
        batch: Crops per step.
        crop: Side of a crop in pixels.
        drawing_share: Share of the crops from pictures under a filter.
        feature_share: Share of the crops with an eye, a brow, the mouth or the nose.
        latent_channels: Channels of a latent; more than `start_from` has are added to it.
        latent_noise: Deviation of the noise on latents, against the errors of an editor.
        gradient, mse, whitening: Weights of the loss terms beside L1.
        perceptual: Weight of the perceptual distance over the embedded features; 0 leaves it out.
        device: Training device, as torch spells it.
    """

    shards: tuple[str, ...] = ("runs/data/variants",)
    test_shards: str = "runs/data/variants_test"
    start_from: str | None = None
    batch: int = 16
    crop: int = 64
    drawing_share: float = 0.2
    feature_share: float = 0.5
    latent_channels: int = 4
    latent_noise: float = 0.03
    gradient: float = 1.0
    mse: float = 0.5
    whitening: float = 0.02
    perceptual: float = 0.0
    device: str = "cpu"


def build(options: Options) -> EditorVaeRecipe:
    """Build the recipe with a new or given autoencoder."""
    return EditorVaeRecipe(options)


def export(recipe: EditorVaeRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged autoencoder as a folder in diffusers' format, float32."""
    vae: Any = result.averaged["vae"]
    vae.register_to_config(scaling_factor=1 / recipe.latent_deviation(vae))
    save_vae(vae, out)
    provenance = {"recipe": recipe.name, "steps": result.step, "heads": recipe.num_heads}
    write_json(Path(out) / "training.json", {"provenance": provenance, "metrics": result.metrics})


def save_vae(vae: Any, folder: str | Path) -> None:
    """Write an autoencoder in diffusers' format, in its own precision."""
    vae.to(memory_format=torch.contiguous_format).save_pretrained(str(folder))
    # AutoencoderTiny derives this entry and warns when it reads it back.
    config = read_json(Path(folder) / "config.json")
    config.pop("block_out_channels", None)
    write_json(Path(folder) / "config.json", config)


def load_vae(folder: str | Path) -> nn.Module:
    """Load an autoencoder that `export` wrote.

    Raises:
        UserError: The folder holds no autoencoder.
    """
    from diffusers import AutoencoderTiny

    if not (Path(folder) / "config.json").is_file():
        raise UserError(
            f"no autoencoder in {folder}; train one first with: triptych train editor-vae"
        )
    return AutoencoderTiny.from_pretrained(str(folder), local_files_only=True)


class EditorVaeRecipe:
    """Reconstruction of avatar pictures."""

    name = "editor-vae"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.sets = [ShardSet(folder) for folder in options.shards]
        self.test = ShardSet(options.test_shards)
        self.region_weights = torch.tensor(REGION_WEIGHTS, device=options.device)
        vae = self._start()
        self._drawings, self._drawn_regions = self._first_drawings()
        self.vae: Any = channels_last(vae.to(options.device)).train()
        self.modules: Modules = {"vae": self.vae}
        self.perceptual: AvatarPerceptualDistance | None = None
        if options.perceptual:
            self.perceptual = AvatarPerceptualDistance.from_pretrained().to(options.device)

    def _start(self) -> nn.Module:
        channels = self.options.latent_channels
        sample = self._pictures(_START_PICTURES, np.random.default_rng(0))[0]
        if self.options.start_from is not None:
            return widen_autoencoder(load_vae(self.options.start_from), channels, sample[:64])
        vae = build_vae(EditorNetworksConfig(image_size=self.test.size, latent_channels=channels))
        start_as_patch_code(vae, fit_patch_code(sample, channels))
        return vae

    @property
    def num_heads(self) -> int:
        """Heads in all training folders together."""
        return sum(len(shards) for shards in self.sets)

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options = self.options
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        images, regions = self._crops(rng)
        images, regions = images.to(options.device), regions.to(options.device)
        images = images.contiguous(memory_format=torch.channels_last)
        with half_precision_where_fast(images.device):
            latents = self.vae.encode(images).latents
            noise = torch.randn(latents.shape, generator=generator).to(images.device)
            pred = self.vae.decode(latents + options.latent_noise * noise).sample
        pred, latents = pred.float(), latents.float()
        weight = self.region_weights[regions][:, None]
        difference = pred - images
        l1 = (difference.abs() * weight).mean()
        mse = difference.square().mean()
        gradient = difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
        mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        whitening = mean.square().mean() + deviation.clamp_min(1e-4).log().square().mean()
        loss = l1 + options.gradient * gradient + options.mse * mse + options.whitening * whitening
        if self.perceptual is not None:
            loss = loss + options.perceptual * self.perceptual(pred, images).mean()
        figures = {
            "l1": float(l1.detach()),
            "gradient": float(gradient.detach()),
            "whitening": float(whitening.detach()),
            "psnr": float(psnr_from_mse(mse.detach())),
        }
        return loss, figures

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        images, regions = self._test_pictures(64)
        pred = self._reconstruct(averaged["vae"], images)
        eyes = (regions == _EYES).float()[:, None]
        error_in_eyes = ((pred - images).square() * eyes).sum() / (3 * eyes.sum()).clamp_min(1)
        drawn = _drawn(images[:20])
        redrawn = self._reconstruct(averaged["vae"], drawn)
        figures = {
            "psnr": psnr(pred, images).mean(),
            "psnr_eyes": psnr_from_mse(error_in_eyes),
            "psnr_drawings": psnr(redrawn, drawn).mean(),
        }
        return {name: round(float(value), 3) for name, value in figures.items()}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        plain = self._test_pictures(8)[0]
        images = torch.cat([plain, _drawn(plain)])
        pred = self._reconstruct(averaged["vae"], images)
        save_sheet([images[:8], pred[:8], images[8:], pred[8:]], path)

    @torch.no_grad()
    def latent_deviation(self, vae: Any) -> float:
        """Return the standard deviation of all latents of test pictures (1 / scaling factor)."""
        images = self._test_pictures(64)[0]
        return float(vae.encode(images.to(self.options.device)).latents.std())

    def _reconstruct(self, vae: Any, images: Tensor) -> Tensor:
        parts = [
            vae.decode(vae.encode(part.to(self.options.device)).latents).sample.cpu()
            for part in images.split(16)
        ]
        return torch.cat(parts).clamp(-1, 1)

    def _crops(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw crops [b,3,crop,crop] in [-1,1] and their region maps [b,crop,crop]."""
        images, regions = self._pictures(self.options.batch, rng)
        self._renew_drawing(images[:1], regions[:1], rng)
        for place in np.flatnonzero(rng.random(len(images)) < self.options.drawing_share):
            number = int(rng.integers(len(self._drawings)))
            images[place], regions[place] = self._drawings[number], self._drawn_regions[number]
        crops, crop_regions = [], []
        for image, region in zip(images, regions, strict=True):
            top, left = self._corner(region.numpy(), rng)
            rows = slice(top, top + self.options.crop)
            columns = slice(left, left + self.options.crop)
            flip = (-1,) if rng.random() < 0.5 else ()
            crops.append(image[:, rows, columns].flip(flip))
            crop_regions.append(region[rows, columns].flip(flip))
        return torch.stack(crops), torch.stack(crop_regions)

    def _corner(self, regions: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        """Return top and left of a crop; a share of the crops contains a small feature."""
        side, crop = regions.shape[0], min(self.options.crop, regions.shape[0])
        small = np.flatnonzero(np.isin(regions, _SMALL_FEATURES))
        if len(small) and rng.random() < self.options.feature_share:
            inside = np.array(np.divmod(int(rng.choice(small)), side))
            corner = inside - rng.integers(0, crop, 2)
        else:
            corner = rng.integers(0, side - crop + 1, 2)
        top, left = np.clip(corner, 0, side - crop)
        return int(top), int(left)

    def _pictures(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw whole pictures [count,3,h,w] in [-1,1] and region maps [count,h,w]."""
        share = np.array([len(shards) for shards in self.sets]) / self.num_heads
        return _stacked(
            _random_picture(self.sets[rng.choice(len(self.sets), p=share)], rng)
            for _ in range(count)
        )

    def _test_pictures(self, count: int) -> tuple[Tensor, Tensor]:
        """Return held-out pictures, the same ones on every call."""
        rng = np.random.default_rng(0)
        return _stacked(_random_picture(self.test, rng) for _ in range(count))

    def _first_drawings(self) -> tuple[Tensor, Tensor]:
        images, regions = self._pictures(_KEPT_DRAWINGS, np.random.default_rng(1))
        return _drawn(images), regions

    def _renew_drawing(self, image: Tensor, regions: Tensor, rng: np.random.Generator) -> None:
        """Replace one of the kept drawings by that of another picture."""
        place = int(rng.integers(len(self._drawings)))
        self._drawings[place] = apply_filter(_DRAWINGS[place % len(_DRAWINGS)], image)[0]
        self._drawn_regions[place] = regions[0]


def _drawn(images: Tensor) -> Tensor:
    """Apply a filter to each picture, cycling over the filters."""
    filters = [_DRAWINGS[number % len(_DRAWINGS)] for number in range(len(images))]
    return torch.cat([apply_filter(f, x[None]) for f, x in zip(filters, images, strict=True)])


def _random_picture(shards: ShardSet, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return one picture [h,w,3] uint8 and the region map [h,w] of its head from that camera."""
    head = int(rng.integers(len(shards)))
    pictures = shards.get("rgb", head)
    variant, view = int(rng.integers(pictures.shape[0])), int(rng.integers(pictures.shape[1]))
    return pictures[variant, view], shards.get("regions", head)[view]


def _stacked(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
    pictures, regions = zip(*pairs, strict=True)
    images = from_uint8(torch.from_numpy(np.stack(pictures)))
    return images, torch.from_numpy(np.stack(regions)).long()
