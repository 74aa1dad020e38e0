"""Weights: one self-describing safetensors file per model, a registry, strict loading."""

from triptych.weights.foreign_file import read_tensors
from triptych.weights.loading import load_features, load_generator, load_image_to_triplane
from triptych.weights.safetensors_file import FileHeader, load_module, read_header, save_module

__all__ = [
    "FileHeader",
    "load_features",
    "load_generator",
    "load_image_to_triplane",
    "load_module",
    "read_header",
    "read_tensors",
    "save_module",
]
