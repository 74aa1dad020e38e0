"""Files as PStyle-3D's training writes them, around random weights of toy size."""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from triptych.models.eg3d_config import BackboneConfig, DecoderConfig, EG3DConfig, MappingConfig
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.nn.ir_se import EveryNth, ResidualUnit, ShortcutConv2d, SqueezeExcite
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.systems.adapt.generator import StyledGenerator, StyledGeneratorConfig
from triptych.systems.adapt.style_encoder import StyleEncoder, StyleEncoderConfig, StyleHead

NARROW = EG3DConfig(
    z_dim=7,
    w_dim=6,
    mapping=MappingConfig(embed_features=5, layer_features=6),
    backbone=BackboneConfig(plane_size=32, plane_channels=4, channel_base=128, channel_max=8),
    decoder=DecoderConfig(num_hidden=5, num_features=4),
    superresolution=SuperResolutionConfig(widths=(4, 3)),
)
NARROW_ENCODER = StyleEncoderConfig(
    image_size=64,
    widths=(4, 6, 8, 4),
    units=(3, 4, 5, 3),
    head_width=5,
    heads=(2, 2, 3),
    w_dim=6,
)
_CLASSES = "training.volumetric_rendering"
_PUBLISHED_NAMES: dict[type, tuple[str, str]] = {
    ResidualUnit: (f"{_CLASSES}.helpers", "bottleneck_IR_SE"),
    SqueezeExcite: (f"{_CLASSES}.helpers", "SEModule"),
    StyleHead: (f"{_CLASSES}.psp_encoders", "GradualStyleBlock"),
    FullyConnectedLayer: (f"{_CLASSES}.psp_encoders", "EqualLinear"),
    StyleEncoder: (f"{_CLASSES}.psp_encoders", "GradualStyleEncoder"),
}


def generator_of(modres: str = "residual") -> StyledGenerator:
    """Return a narrow generator; its residual blocks are as they were initialised."""
    config = StyledGeneratorConfig.around(NARROW, modres=modres, rgb_gain="twice")
    return StyledGenerator(config).eval()


def checkpoint_of(generator: StyledGenerator) -> dict[str, Any]:
    """Return the dictionary that the training saves."""
    return {"G_ema": generator.state_dict()}


class _PublishedModule(nn.Module):
    """Stands for a class that only the released code has."""


@contextmanager
def published_classes() -> Iterator[dict[type, type]]:
    """Make classes of the released code importable, as torch.save needs it, for a while."""
    made: dict[type, type] = {}
    modules = {name: types.ModuleType(name) for name, _ in _PUBLISHED_NAMES.values()}
    for ours, (home, name) in _PUBLISHED_NAMES.items():
        made[ours] = type(name, (_PublishedModule,), {"__module__": home})
        setattr(modules[home], name, made[ours])
    home = f"{_CLASSES}.feature_match"
    modules[home] = types.ModuleType(home)
    made[nn.Module] = type("pSp", (_PublishedModule,), {"__module__": home})
    modules[home].pSp = made[nn.Module]  # type: ignore[attr-defined]
    sys.modules.update(modules)
    try:
        yield made
    finally:
        for name in modules:
            del sys.modules[name]


def save_encoder_module(path: Path, encoder: StyleEncoder, **form: bool) -> None:
    """Write an encoder as the whole pickled module that the training saves; it is used up."""
    with published_classes() as classes:
        root = classes[nn.Module]()
        for module in list(encoder.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, EveryNth):
                    setattr(module, name, nn.MaxPool2d(1, child.n))
                elif isinstance(child, ShortcutConv2d):
                    child.__class__ = nn.Conv2d
            if type(module) in classes:
                module.__class__ = classes[type(module)]
        del encoder.config
        root.encoder = encoder
        root.opts = argparse.Namespace(output_size=1024, n_styles=18, device="cuda")
        torch.save(root.train(), path, **form)
