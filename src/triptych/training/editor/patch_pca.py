"""Initialisation of a small autoencoder as a linear code of image patches (PCA).

From random weights this network needs many minutes to reproduce colours; initialised as a linear
patch code it reproduces them at step 0 and learns detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

PATCH = 4
_PATCH_VALUES = 3 * PATCH * PATCH


@dataclass(frozen=True)
class PatchCode:
    """A whitened linear code of 4x4 colour patches in the order of two space-to-depth steps.

    Attributes:
        mean: Mean patch [48].
        basis: Orthonormal directions [48, k] of greatest variance.
        deviation: Standard deviation along each direction [k].
        share: Fraction of the variance that the code keeps.
    """

    mean: Tensor
    basis: Tensor
    deviation: Tensor
    share: float


def fit_patch_code(images: Tensor, num_components: int) -> PatchCode:
    """Fit the code to pictures.

    Args:
        images: Pictures [n,3,h,w] in [-1,1]; h and w divisible by 4.
        num_components: Values per patch.
    """
    patches = space_to_depth(space_to_depth((images + 1) / 2))
    rows = patches.permute(0, 2, 3, 1).reshape(-1, _PATCH_VALUES).double()
    mean = rows.mean(0)
    variance, directions = torch.linalg.eigh(torch.cov(rows.T))
    kept = variance.flip(0)[:num_components].clamp_min(1e-8)
    return PatchCode(
        mean=mean.float(),
        basis=directions.flip(1)[:, :num_components].float(),
        deviation=kept.sqrt().float(),
        share=float(kept.sum() / variance.sum().clamp_min(1e-8)),
    )


def space_to_depth(images: Tensor) -> Tensor:
    """Move each 2x2 block into channels: [b,c,h,w] -> [b,4c,h/2,w/2], sub-pixel outermost."""
    blocks = [images[..., y::2, x::2] for y in (0, 1) for x in (0, 1)]
    return torch.cat(blocks, dim=1)


@torch.no_grad()
def start_as_patch_code(vae: Any, code: PatchCode, *, damping: float = 0.15) -> None:
    """Set a three-stage AutoencoderTiny to encode and decode by a patch code.

    The encoder carries exact space-to-depth copies of the picture (its input is in [0,1], so the
    rectifiers let them pass) to its last convolution, which applies the code. The decoder inverts
    the code and then averages sub-pixels with bilinear kernels, because a convolution after
    nearest-neighbour up-sampling cannot distinguish sub-pixels; training adds the detail.

    Args:
        vae: AutoencoderTiny with stages of at least 48 channels.
        code: A code fitted to pictures like the training data.
        damping: Factor on all weights that the code does not use.
    """
    encoder, decoder = _outer_convolutions(vae.encoder), _outer_convolutions(vae.decoder)
    for convolution in (*encoder, *decoder):
        convolution.weight.mul_(damping)
        if convolution.bias is not None:
            convolution.bias.zero_()
    for block_end in _ends_of_blocks(vae):
        block_end.weight.mul_(damping)
        _bias(block_end).mul_(damping)
    _set_encoder(encoder, code)
    _set_decoder(decoder, code)


def _outer_convolutions(half: Any) -> list[nn.Conv2d]:
    """Return the convolutions between the residual blocks: one per stage and one at the end."""
    layers = [layer for layer in half.layers if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 4, "the patch code is made for three stages"
    return layers


def _ends_of_blocks(vae: Any) -> list[nn.Conv2d]:
    """Return the last convolution of every residual block."""
    from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock

    return [block.conv[-1] for block in vae.modules() if isinstance(block, AutoencoderTinyBlock)]


def _set_encoder(convolutions: list[nn.Conv2d], code: PatchCode) -> None:
    stem, first_step, second_step, to_latent = convolutions
    stem.weight[:3] = 0
    for channel in range(3):
        stem.weight[channel, channel, 1, 1] = 1
    for step, channels in ((first_step, 3), (second_step, 12)):
        step.weight[: 4 * channels] = 0
        for block, (y, x) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            for channel in range(channels):
                step.weight[block * channels + channel, channel, 1 + y, 1 + x] = 1
    whitened = (code.basis / code.deviation).T
    to_latent.weight.zero_()
    to_latent.weight[:, :_PATCH_VALUES, 1, 1] = whitened
    _bias(to_latent).copy_(-whitened @ code.mean)


def _set_decoder(convolutions: list[nn.Conv2d], code: PatchCode) -> None:
    from_latent, first_step, second_step, to_picture = convolutions
    from_latent.weight[:_PATCH_VALUES] = 0
    from_latent.weight[:_PATCH_VALUES, :, 1, 1] = code.basis * code.deviation
    _bias(from_latent)[:_PATCH_VALUES] = code.mean
    ramp = torch.tensor([0.25, 0.5, 0.25])
    bilinear = ramp[:, None] * ramp[None, :]
    for step, channels in ((first_step, 12), (second_step, 3)):
        step.weight[:channels] = 0
        for block in range(4):
            for channel in range(channels):
                step.weight[channel, block * channels + channel] = bilinear / 4
    to_picture.weight.mul_(0.1)
    for channel in range(3):
        to_picture.weight[channel] = 0
        to_picture.weight[channel, channel, 1, 1] = 1


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
