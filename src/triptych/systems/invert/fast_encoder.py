"""The fast form of a 3DpSp encoder: weights in bfloat16 once and for all, fewer passes."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from triptych.ops.placement import channels_last
from triptych.ops.precision import RenderPath, fast_dtype
from triptych.systems.invert.encoder import PspEncoder

_COMPUTED_IN_HALF = (nn.Conv2d, nn.PReLU)


@torch.no_grad()
def fast_encoder(
    encoder: PspEncoder, path: RenderPath = "fast", *, dtype: torch.dtype | None = None
) -> PspEncoder:
    """Return an encoder that computes nearly the same, without gradients.

    Batch norms behind convolutions are multiplied into them. Where the processor multiplies
    bfloat16 in hardware, convolutions are kept and computed in it: casting 230 million weights at
    every call, as automatic casting does, costs as much as using them.

    Args:
        encoder: In evaluation mode.
        path: "exact" returns the encoder itself, "fast-float32" never uses bfloat16.
        dtype: Of the convolutions, instead of what the path says.
    """
    if path == "exact":
        return encoder
    fast = copy.deepcopy(encoder).eval().requires_grad_(False)
    for module in fast.modules():
        if isinstance(module, nn.Sequential):
            _fold_batch_norms(module)
    dtype = dtype or fast_dtype(path, encoder.latent_mean.device)
    for head in fast.styles:
        head.convs.to(dtype)
    for part in (fast.input_layer, fast.body, fast.latlayer1, fast.latlayer2):
        for module in part.modules():
            if isinstance(module, _COMPUTED_IN_HALF):
                module.to(dtype)
    return channels_last(fast)


def _fold_batch_norms(layers: nn.Sequential) -> None:
    for index in range(1, len(layers)):
        convolution, norm = layers[index - 1], layers[index]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layers[index - 1] = fuse_conv_bn_eval(convolution, norm)
            layers[index] = nn.Identity()
