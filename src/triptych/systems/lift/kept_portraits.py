"""What a lift that was stopped leaves for the same one to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from triptych.files import make_writable_folder
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.photograph import Photograph
from triptych.weights.safetensors_file import content_hash

_KEY_LENGTH = 16


class KeptPortraits:
    """Portraits made on the way, kept in a folder under a hash of what decides them.

    Args:
        folder: Where they are kept, made if absent; None keeps nothing.
        photo: The measured photo.
        request: Everything else that decides the result, as JSON values.
    """

    def __init__(
        self, folder: str | Path | None, photo: Photograph, request: Mapping[str, Any]
    ) -> None:
        self._folder = None if folder is None else Path(folder)
        if self._folder is not None:
            make_writable_folder(self._folder)
            self._key = _hash_of(photo, request)[:_KEY_LENGTH]

    def __call__(self, name: str, make: Callable[[], TriPlanePortrait]) -> TriPlanePortrait:
        """Return what is kept under a name, or make it and keep it, exact."""
        if self._folder is None:
            return make()
        file = self._folder / f"{name}-{self._key}.safetensors"
        if not file.exists():
            make().save(file, exact=True)
        return TriPlanePortrait.load(file)


def _hash_of(photo: Photograph, request: Mapping[str, Any]) -> str:
    arrays = {
        "colours": photo.colours,
        "landmarks": photo.landmarks,
        "person": photo.person,
        "inside": photo.inside,
    }
    pixels = content_hash({name: torch.from_numpy(array) for name, array in arrays.items()})
    text = json.dumps({**request, "photo": pixels}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
