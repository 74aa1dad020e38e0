"""Pictures to latents and back through an image editor's autoencoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from triptych.ops.resize import resize

PIXELS_AT_ONCE = 2**18
"""The autoencoder needs two gigabytes for one picture of 512 pixels; more at once gains nothing."""


class LatentCodec:
    """An autoencoder at the size it was trained for, always in full precision.

    Args:
        vae: diffusers' AutoencoderKL or AutoencoderTiny.
        image_size: Side of the pictures it is given.
    """

    def __init__(self, vae: Any, image_size: int) -> None:
        self.vae, self.image_size = vae, image_size

    def encode(self, images: Tensor) -> Tensor:
        """Return the unscaled mode of the latents of pictures [v,3,h,w] in [-1,1]."""
        sized = to_size(images.float(), self.image_size)
        return torch.cat([self._mode(part) for part in sized.split(self._at_once)])

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures [v,3,h,w] in [-1,1] of scaled latents."""
        unscaled = latents / self.vae.config.scaling_factor
        pictures = [self.vae.decode(part).sample for part in unscaled.split(self._at_once)]
        return torch.cat(pictures).clamp(-1, 1)

    def scaled(self, latents: Tensor) -> Tensor:
        """Return latents as a diffusion model sees them."""
        return latents * self.vae.config.scaling_factor

    def _mode(self, images: Tensor) -> Tensor:
        encoded = self.vae.encode(images)
        return encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()

    @property
    def _at_once(self) -> int:
        return max(1, PIXELS_AT_ONCE // self.image_size**2)


def to_size(images: Tensor, size: int) -> Tensor:
    """Return square pictures [v,3,h,w] at a size."""
    return images if images.shape[-1] == size else resize(images, size).clamp(-1, 1)
