"""Checkpoints as 3DpSp's training writes them, around random weights of toy size."""

from __future__ import annotations

from typing import Any

import torch

from triptych.systems.invert.encoder import PspConfig, PspEncoder

TINY = PspConfig(
    image_size=64,
    widths=(4, 6, 8, 10),
    units=(3, 4, 5, 3),
    head_width=6,
    heads=(3, 4, 7),
    w_dim=5,
    camera_code=4,
)


def encoder_of(config: PspConfig) -> PspEncoder:
    """Return an encoder in which every style head takes a small step."""
    encoder = PspEncoder(config)
    rng = torch.Generator().manual_seed(1)
    for head in encoder.styles:  # a new encoder takes no step
        torch.nn.init.normal_(head.linear.weight, std=0.02, generator=rng)
    return encoder.eval()


def checkpoint_of(config: PspConfig, **changes: Any) -> dict[str, Any]:
    """Return the dictionary that 3DpSp's training saves.

    Args:
        config: Of the encoder.
        changes: Other values of the dictionary.
    """
    state = encoder_of(config).state_dict()
    rng = torch.Generator().manual_seed(2)
    content = {
        "state_dict": {k: v for k, v in state.items() if not k.startswith("latent_")},
        "latent_avg": torch.randn(1, config.num_ws, config.w_dim, generator=rng),
        "opts": {
            "camera": True,
            "n_iters_per_batch": 5,
            "device": torch.device("cpu"),
            "optim_name": "ranger",
        },
        "best_val_loss": torch.tensor(0.5),
        "step": 20_000,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
    }
    return {**content, **changes}
