"""Weights: one self-describing safetensors file per model, a registry, strict loading, safe import.

The names are imported on first use: the registry alone needs no tensor library.
"""

# ruff: noqa: F401 - the imports are for type checkers; __all__ is made from the table below

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triptych.weights.conversion import open_checkpoint, save_converted
    from triptych.weights.converted import ConversionOptions, Converted
    from triptych.weights.eg3d_checkpoint import EG3DCheckpoint, open_eg3d_checkpoint
    from triptych.weights.foreign_file import read_tensors
    from triptych.weights.loading import (
        load_discriminator,
        load_features,
        load_generator,
        load_head_pose,
        load_network,
    )
    from triptych.weights.safetensors_file import (
        FileHeader,
        load_module,
        read_header,
        save_module,
    )

_MODULES = {
    "conversion": ("open_checkpoint", "save_converted"),
    "converted": ("ConversionOptions", "Converted"),
    "eg3d_checkpoint": ("EG3DCheckpoint", "open_eg3d_checkpoint"),
    "foreign_file": ("read_tensors",),
    "loading": (
        "load_discriminator",
        "load_features",
        "load_generator",
        "load_head_pose",
        "load_network",
    ),
    "safetensors_file": ("FileHeader", "load_module", "read_header", "save_module"),
}
_HOME_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
