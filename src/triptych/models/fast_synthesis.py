"""Synthesis of the planes of one portrait: exact, or fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.styled_synthesis import has_styled_form, synthesize_fast
from triptych.nn.synthesis_layers import NoiseMode
from triptych.ops.precision import RenderPath, fast_dtype


@torch.no_grad()
def synthesize_planes(
    generator: TriPlaneGenerator,
    ws: Tensor,
    path: RenderPath = "fast",
    *,
    noise_mode: NoiseMode = "const",
    rng: torch.Generator | None = None,
) -> Tensor:
    """Return the planes [1, 3, c, h, w] (float32) of style codes [1, num_ws, w_dim].

    Without super-resolution "fast" computes in float32 too: rounding would be visible, and a small
    backbone gains little.

    Args:
        generator: The generator.
        ws: Style codes of one portrait.
        path: Precision and speed; on other devices and with unusual filters always "exact".
        noise_mode: "const" takes the stored noise maps, "random" draws them, "none" has none.
        rng: Source of random noise.
    """
    network = generator.backbone.synthesis
    if path == "exact" or ws.shape[0] != 1 or not has_styled_form(network):
        return generator.planes(ws, noise_mode=noise_mode, generator=rng).float()
    generator.check_codes(ws)
    has_superresolution = generator.config.superresolution is not None
    dtype = fast_dtype(path, ws.device) if has_superresolution else torch.float32
    image = synthesize_fast(network, ws, dtype, noise_mode=noise_mode, generator=rng)
    return image.unflatten(1, (3, -1))
