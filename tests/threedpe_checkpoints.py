"""Checkpoints as 3DPE's and Live3D's trainings write them, around random weights of toy size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from toy_edit import TINY, TINY_LIVE3D, TINY_NORMAL, TINY_PROMPT

from triptych.models.eg3d_config import BackboneConfig, DecoderConfig
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.systems.edit.encoder_config import TriplaneEncoderConfig
from triptych.systems.edit.network import (
    PortraitEncoder,
    PortraitEncoderConfig,
    published_rendering,
)

_AS_PUBLISHED: dict[str, Any] = {
    # What no tensor tells.
    "image_size": 512,
    "coordinates": "pixels",
    "pyramid_rates": (12, 24, 36),
    "low_heads": 4,
}
NARROW_3DPE = replace(TINY, **_AS_PUBLISHED, prompt=replace(TINY_PROMPT, width=12, heads=12))
NARROW_LT = replace(TINY_LIVE3D, **_AS_PUBLISHED)
NARROW_NORMAL = replace(TINY_NORMAL, **_AS_PUBLISHED)


def network_of(encoder: TriplaneEncoderConfig) -> PortraitEncoder:
    """Return a narrow network of 512 pixels whose weights are all random."""
    rendering = replace(
        published_rendering(),
        w_dim=6,
        backbone=BackboneConfig(plane_channels=encoder.plane_channels),
        decoder=DecoderConfig(num_hidden=5, num_features=4),
        superresolution=SuperResolutionConfig(widths=(4, 3), conv_clamp=None),
    )
    rng = torch.Generator().manual_seed(3)
    network = PortraitEncoder(PortraitEncoderConfig(encoder, rendering), rng=rng)
    return network.eval().requires_grad_(False)


def checkpoint_of(encoder: TriplaneEncoderConfig = NARROW_3DPE, **changes: Any) -> dict[str, Any]:
    """Return the dictionary that a training saves.

    Args:
        encoder: Sizes and layout.
        changes: Other values of the dictionary.
    """
    state = network_of(encoder).state_dict()
    parts: dict[str, dict[str, torch.Tensor]] = {"encoder": {}, "renderer": {}}
    for name, tensor in state.items():
        part, _, own = name.partition(".")
        parts[part][own] = tensor
    for group in (3, 4):
        for what in ("weight", "bias"):
            parts["encoder"][f"encoder.layer{group}.0.conv1.{what}"] = torch.zeros(2)
    return {
        "encoder_state_dict": parts["encoder"],
        "renderer_state_dict": parts["renderer"],
        "discriminator_state": {"b8.conv0.weight": torch.zeros(2, 2, 1, 1)},
        "opts": {"job_name": "x", "lr_D": 1e-5, "resume": True},
        "best_val_loss": torch.tensor(0.5),
        "step": 90_000,
        "encoder_optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []},
        **changes,
    }
