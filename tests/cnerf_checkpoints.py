"""Checkpoints as CNeRF's training writes them, around random weights of toy size."""

from __future__ import annotations

from typing import Any

from toy_compose import TINY, tiny_region_generator

from triptych.systems.compose.discriminators import (
    DiscriminatorWidths,
    FullDiscriminator,
    SemanticDiscriminator,
    VolumeDiscriminator,
)
from triptych.systems.compose.generator_config import RegionGeneratorConfig

SMALL = DiscriminatorWidths((4, 4, 4))


def checkpoint_of(config: RegionGeneratorConfig = TINY) -> dict[str, Any]:
    """Return the dictionary that a stage saves: stage 1 for a generator without decoder."""
    state = tiny_region_generator(config).state_dict()
    generators = {"g": {name: tensor + 1 for name, tensor in state.items()}, "g_ema": state}
    if config.decoder is None:
        discriminators = {"gd": VolumeDiscriminator(SMALL), "sd": SemanticDiscriminator(SMALL)}
    else:
        discriminators = {"d": FullDiscriminator(SMALL)}
    return {**generators, **{name: net.state_dict() for name, net in discriminators.items()}}
