"""The framing of photos for a model, without loading the model."""

from __future__ import annotations

from pathlib import Path

from triptych.framing import FaceFraming
from triptych.models.eg3d_config import EG3DConfig
from triptych.weights.loading import config_in
from triptych.weights.registry import MODELS, find, weight_file
from triptych.weights.safetensors_file import read_header


def framing_of_model(name_or_path: str | Path = "avatar") -> FaceFraming:
    """Return the framing of a generator given by name or file.

    Official models need not be on this machine: their framing is known.

    Args:
        name_or_path: "avatar" for the embedded generator, a name of the registry, or a file.

    Raises:
        UserError: There is no such generator, or it is not one of human faces.
    """
    name = "avatar-generator" if name_or_path == "avatar" else name_or_path
    if name in MODELS:
        entry = find(str(name), "generator")
        known = entry.expected_config()
        if known is not None and not entry.present():
            return known.photo_framing()
    path = weight_file(name, "generator")
    return config_in(path, read_header(path), EG3DConfig).photo_framing()
