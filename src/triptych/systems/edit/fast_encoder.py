"""The fast form of an encoder of photos: half precision where it is faster, channels last."""

from __future__ import annotations

import copy

import torch
from torch import nn

from triptych.ops.placement import channels_last, device_of
from triptych.ops.precision import RenderPath, fast_dtype
from triptych.systems.edit.encoder import TriplaneEncoder


@torch.no_grad()
def fast_encoder(
    encoder: TriplaneEncoder, path: RenderPath = "fast", *, dtype: torch.dtype | None = None
) -> TriplaneEncoder:
    """Return an encoder that computes nearly the same, without gradients.

    Where the processor multiplies bfloat16 in hardware, weights are kept and computed in it. The
    two convolutions that see rows and columns stay in float32, since bfloat16 cannot tell row 510
    from row 511, and so do a generator's plane statistics.

    Args:
        encoder: The exact one.
        path: "exact" returns the encoder itself, "fast-float32" never uses bfloat16.
        dtype: Of all other weights, instead of what the path says.
    """
    if path == "exact":
        return encoder
    fast = copy.deepcopy(encoder).eval().requires_grad_(False)
    fast.to(dtype or fast_dtype(path, device_of(encoder)))
    for stem in _stems(fast):
        stem.float()
    for stem, exact in zip(_stems(fast), _stems(encoder), strict=True):
        stem.load_state_dict(exact.state_dict())  # not rounded on the way
    if encoder.config.whitened:
        fast.plane_mean, fast.plane_std = encoder.plane_mean.clone(), encoder.plane_std.clone()
    return channels_last(fast)


def _stems(encoder: TriplaneEncoder) -> tuple[nn.Module, nn.Module]:
    return encoder.encoder.conv1, encoder.EHigh_encoder.net[0]
