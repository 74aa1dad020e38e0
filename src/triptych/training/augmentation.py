"""Augmentation of images of heads: geometry, light, blur and noise like those of model output."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from triptych.ops.resize import resize_bilinear


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes; each image draws its own.

    Soft edges, grain and blotches occur in generated and edited images, not in renders.

    Attributes:
        zoom: Largest relative change of size, either way.
        shift: Largest shift as a fraction of the image, along each axis.
        brightness: Largest change of brightness, in image units.
        contrast: Largest relative change of contrast.
        tint: Largest relative change of one colour channel against the others.
        blur: Largest standard deviation of the blur, in pixels.
        grain: Largest standard deviation of noise per pixel, in image units.
        blotches: Largest standard deviation of noise in patches of four pixels, in image units.
        background: Value outside the image, in [-1, 1].
    """

    zoom: float = 0.12
    shift: float = 0.06
    brightness: float = 0.08
    contrast: float = 0.12
    tint: float = 0.04
    blur: float = 1.2
    grain: float = 0.05
    blotches: float = 0.06
    background: float = 0.5

    def wider(self, factor: float) -> Augmentation:
        """Return the same changes with every range multiplied by a factor."""
        ranges = ("zoom", "shift", "brightness", "contrast", "tint", "blur", "grain", "blotches")
        return Augmentation(
            **{name: factor * getattr(self, name) for name in ranges}, background=self.background
        )

    def __call__(
        self, image: Tensor, regions: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Change images, and transform their region maps alike.

        Args:
            image: Images [b, 3, h, w] in [-1, 1].
            regions: Class of every pixel [b, h, w], integers; 0 is the background.
            generator: Source of the randomness, on the CPU.

        Returns:
            Images [b, 3, h, w] in [-1, 1] and regions [b, h, w].
        """
        image, regions = self._transformed(image, regions, generator)
        image = self._blurred(self._relit(image, generator), generator)
        return self._with_noise(image, generator).clamp(-1.0, 1.0), regions

    def _transformed(
        self, image: Tensor, regions: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        count = len(image)
        scale = torch.exp(self.zoom * even_draws(generator, count))
        affine = torch.zeros(count, 2, 3)
        affine[:, 0, 0] = affine[:, 1, 1] = scale
        affine[:, :, 2] = 2 * self.shift * even_draws(generator, count, 2)
        grid = functional.affine_grid(affine, list(image.shape), align_corners=False)
        grid = grid.to(image.device)
        # Sampling is relative to the background because it reads zeros outside the image.
        moved = functional.grid_sample(image - self.background, grid, align_corners=False)
        moved_regions = functional.grid_sample(
            regions[:, None].float(), grid, mode="nearest", align_corners=False
        )
        return moved + self.background, moved_regions[:, 0].to(regions.dtype)

    def _relit(self, image: Tensor, generator: torch.Generator) -> Tensor:
        count = len(image)
        contrast = 1 + self.contrast * even_draws(generator, count, 1, 1, 1)
        tint = 1 + self.tint * even_draws(generator, count, 3, 1, 1)
        brightness = self.brightness * even_draws(generator, count, 1, 1, 1)
        return image * (contrast * tint).to(image.device) + brightness.to(image.device)

    def _blurred(self, image: Tensor, generator: torch.Generator) -> Tensor:
        sigma = self.blur * torch.rand(len(image), generator=generator)
        reach = torch.arange(-2, 3, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (reach / sigma.clamp(min=0.05)[:, None]).square())
        kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, 0).to(image)
        flat = functional.pad(image.flatten(0, 1)[None], (2, 2, 2, 2), mode="replicate")
        groups = flat.shape[1]
        flat = functional.conv2d(flat, kernel[:, None, None, :], groups=groups)
        flat = functional.conv2d(flat, kernel[:, None, :, None], groups=groups)
        return flat.view_as(image)

    def _with_noise(self, image: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = image.shape
        fine = torch.randn(image.shape, generator=generator)
        fine_strength = self.grain * torch.rand(count, 1, 1, 1, generator=generator)
        coarse = torch.randn(count, 3, height // 4, width // 4, generator=generator)
        coarse = resize_bilinear(coarse, (height, width))
        coarse_strength = self.blotches * torch.rand(count, 1, 1, 1, generator=generator)
        return image + (fine_strength * fine + coarse_strength * coarse).to(image.device)


def even_draws(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw numbers evenly from [-1, 1)."""
    return 2 * torch.rand(*shape, generator=generator) - 1
