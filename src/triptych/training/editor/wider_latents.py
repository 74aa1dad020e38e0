"""More latent channels for a trained autoencoder and for the UNet that edits its latents.

Both networks begin with the results that they had: decoder and UNet ignore the new channels, and
the UNet leaves them at zero. The encoder fills them with principal components of its features,
less what the former latents explain linearly: the detail that was lost.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from triptych.errors import UserError


@torch.no_grad()
def widen_autoencoder(vae: Any, channels: int, images: Tensor) -> Any:
    """Return an autoencoder with more latent channels that reconstructs as before.

    Args:
        vae: diffusers' AutoencoderTiny.
        channels: Latent channels of the result, at least as many as now.
        images: Pictures like the training data [n,3,h,w] in [-1,1].

    Raises:
        UserError: The autoencoder has more channels already.
    """
    former = int(vae.config.latent_channels)
    _check_wider(former, channels)
    wide = _rebuilt(vae, latent_channels=channels)
    to_latent, from_latent = vae.encoder.layers[-1], _first_convolution(vae.decoder)
    rows, bias = _lost_detail(vae.encoder, images, channels - former)
    centre = torch.zeros(len(rows), *to_latent.weight.shape[1:])
    centre[:, :, 1, 1] = rows
    wide.encoder.layers[-1].weight.copy_(torch.cat([to_latent.weight, centre]))
    wide.encoder.layers[-1].bias.copy_(torch.cat([to_latent.bias, bias]))
    _first_convolution(wide.decoder).weight.copy_(_with_zero_inputs(from_latent, former, channels))
    return wide


@torch.no_grad()
def widen_unet(unet: Any, channels: int) -> Any:
    """Return a UNet for more latent channels with the same predictions in the former ones.

    Args:
        unet: diffusers' UNet that reads a noisy latent and, behind it, that of the source.
        channels: Latent channels of the result, at least as many as now.

    Raises:
        UserError: The UNet has more channels already.
    """
    former = int(unet.config.out_channels)
    _check_wider(former, channels)
    wide = _rebuilt(unet, in_channels=2 * channels, out_channels=channels)
    wide.conv_in.weight.copy_(_with_zero_inputs(unet.conv_in, former, channels))
    for parameter, value in zip(
        wide.conv_out.parameters(), unet.conv_out.parameters(), strict=True
    ):
        parameter.zero_()
        parameter[:former] = value
    return wide


def _check_wider(former: int, channels: int) -> None:
    if channels < former:
        raise UserError(f"latent channels: got {channels}; expected {former}, as it has, or more")


def _rebuilt(network: Any, **changes: int) -> Any:
    """Return a network of a changed configuration with all weights that still fit."""
    settings = {key: value for key, value in network.config.items() if not key.startswith("_")}
    wide = type(network).from_config({**settings, **changes})
    own, given = wide.state_dict(), network.state_dict()
    fitting = {name: value for name, value in given.items() if value.shape == own[name].shape}
    wide.load_state_dict(fitting, strict=False)
    return wide.train(network.training)


def _first_convolution(half: Any) -> nn.Conv2d:
    return next(layer for layer in half.layers if isinstance(layer, nn.Conv2d))


def _with_zero_inputs(convolution: nn.Conv2d, former: int, channels: int) -> Tensor:
    """Return a convolution's weight with zeros for the new channels of each latent it reads."""
    latents = convolution.weight.split(former, dim=1)
    zeros = convolution.weight.new_zeros(
        len(convolution.weight), channels - former, *convolution.kernel_size
    )
    return torch.cat([torch.cat([latent, zeros], dim=1) for latent in latents], dim=1)


def _lost_detail(encoder: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return rows [count,c] and biases [count] that make white latents of an encoder's features.

    They read what the former latents do not explain of the features, in its directions of largest
    variance; on the given pictures they have mean 0 and deviation 1.
    """
    to_latent = encoder.layers[-1]
    # The encoder reads pictures in [0,1].
    inputs = encoder.layers[:-1](images.add(1).div(2))
    features = inputs.movedim(1, -1).flatten(0, -2).double()
    latents = to_latent(inputs).movedim(1, -1).flatten(0, -2).double()
    mean = features.mean(0)
    centred, known = features - mean, latents - latents.mean(0)
    explained = torch.linalg.lstsq(known, centred).solution
    rest = centred - known @ explained
    values, directions = torch.linalg.eigh(rest.T @ rest / len(rest))
    chosen = directions[:, -count:].flip(1) if count else directions[:, :0]
    deviation = (centred @ chosen).std(0).clamp_min(1e-6)
    rows = (chosen / deviation).T
    return rows.float(), (-rows @ mean).float()
