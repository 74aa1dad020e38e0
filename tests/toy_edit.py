"""Encoders of photos small enough for every test."""

from __future__ import annotations

from dataclasses import replace

import torch
from toy_portraits import tiny_config

from triptych.models.eg3d_config import EG3DConfig
from triptych.systems.edit.encoder_config import PromptBranchConfig, TriplaneEncoderConfig
from triptych.systems.edit.network import PortraitEncoder, PortraitEncoderConfig

TINY_PROMPT = PromptBranchConfig(
    image_size=8, patch_size=4, width=8, depth=1, heads=2, mlp_ratio=2, query_channels=4
)
TINY = TriplaneEncoderConfig(
    image_size=64,
    coordinates="unit",
    trunk_widths=(4, 4),
    trunk_blocks=(1, 1),
    pyramid_width=4,
    pyramid_rates=(1, 2, 3),
    low_width=16,
    low_blocks=1,
    low_heads=2,
    low_outputs=(4, 4),
    high_widths=(4, 4, 4),
    fusion_widths=(8,),
    final_width=16,
    final_heads=2,
    output_widths=(4, 4, 4, 4),
    plane_channels=4,
    prompt=TINY_PROMPT,
)
TINY_LIVE3D = replace(TINY, prompt=None)
TINY_NORMAL = replace(
    TINY_LIVE3D,
    layout="Normal",
    low_outputs=(4, 4, 6),
    high_widths=(4, 6, 6),
    fusion_widths=(8, 4),
    output_widths=(4, 4, 4),
)


def tiny_rendering() -> EG3DConfig:
    """Return the renderer of toy avatars, whose planes these encoders make."""
    return tiny_config()


def tiny_network(config: TriplaneEncoderConfig = TINY, *, seed: int = 0) -> PortraitEncoder:
    """Return an encoder with random weights and its renderer."""
    rng = torch.Generator().manual_seed(seed)
    network = PortraitEncoder(PortraitEncoderConfig(config, tiny_rendering()), rng=rng)
    return network.eval().requires_grad_(False)


def pictures(num: int = 1, size: int = 64, *, seed: int = 0) -> torch.Tensor:
    """Return noise [num, 3, size, size] in [-1, 1]."""
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(num, 3, size, size, generator=rng) * 2 - 1


def tiny_editing_network(*, seed: int = 0) -> PortraitEncoder:
    """Return an encoder that edits and keeps its base, as trained ones do."""
    return tiny_network(replace(TINY, keeps_base=True), seed=seed)
