"""Weights: one self-describing safetensors file per model, a registry, strict loading, safe import.

The names are imported on first use: the registry alone needs no tensor library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triptych.weights.foreign_file import read_tensors
    from triptych.weights.loading import (
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

_HOME_OF = {
    "EG3DCheckpoint": "triptych.weights.eg3d_checkpoint",
    "FileHeader": "triptych.weights.safetensors_file",
    "load_discriminator": "triptych.weights.loading",
    "load_features": "triptych.weights.loading",
    "load_generator": "triptych.weights.loading",
    "load_head_pose": "triptych.weights.loading",
    "load_network": "triptych.weights.loading",
    "load_module": "triptych.weights.safetensors_file",
    "open_eg3d_checkpoint": "triptych.weights.eg3d_checkpoint",
    "read_header": "triptych.weights.safetensors_file",
    "read_tensors": "triptych.weights.foreign_file",
    "save_converted": "triptych.weights.convert",
    "save_module": "triptych.weights.safetensors_file",
}

__all__ = [
    "EG3DCheckpoint",
    "FileHeader",
    "load_discriminator",
    "load_features",
    "load_generator",
    "load_head_pose",
    "load_module",
    "load_network",
    "open_eg3d_checkpoint",
    "read_header",
    "read_tensors",
    "save_converted",
    "save_module",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'triptych.weights' has no attribute '{name}'")
