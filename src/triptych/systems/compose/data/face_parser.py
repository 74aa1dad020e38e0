"""Masks by a network that parses faces: any semantic segmentation model in transformers' format.

The model's own names of classes say what its numbers mean, so nothing has to be configured:
"hair" or "l_eye" of CelebAMask-HQ as public face parsers spell them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.errors import UserError
from triptych.photos.photo import read_pixels
from triptych.systems.compose.region_masks import MASK_CLASSES, remapped

Bytes = NDArray[np.uint8]

_FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
_REQUIRED = ("skin", "hair")


class FaceParser:
    """Parses photos into maps of CelebAMask-HQ's classes.

    Args:
        model: Maps pixel_values [1,3,h,w] to an output with logits [1,c,h',w'].
        processor: Makes pixel_values of a photo: transformers' image processor.
        ids: Our number of each of the model's.
    """

    def __init__(self, model: Any, processor: Any, ids: Mapping[int, int]) -> None:
        self._model, self._processor, self._ids = model, processor, dict(ids)

    @classmethod
    def from_folder(cls, folder: str | Path) -> FaceParser:
        """Load a model from a folder with config, preprocessor settings and safetensors.

        Raises:
            UserError: A file is missing or broken, or a class has a name that is not known.
        """
        from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

        folder = Path(folder)
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise UserError(
                f"{folder} holds no {missing[0]}; expected a face parser in transformers' format: "
                f"{', '.join(_FILES)}"
            )
        try:
            model = AutoModelForSemanticSegmentation.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            processor = AutoImageProcessor.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # transformers raises its readers' errors of many kinds
            said = " ".join(str(error).split())[:300]
            raise UserError(f"cannot load the face parser {folder}: {said}") from error
        return cls(model.eval(), processor, class_ids(model.config.id2label))

    @torch.no_grad()
    def of(self, photo: Path) -> Bytes:
        """Return the map of classes [h,w] of a photo, in CelebAMask-HQ's numbers."""
        pixels = read_pixels(photo)
        values = self._processor(images=pixels, return_tensors="pt")["pixel_values"]
        logits = self._model(pixel_values=values).logits.float()
        logits = torch.nn.functional.interpolate(
            logits, size=pixels.shape[:2], mode="bilinear", align_corners=False
        )
        return remapped(logits[0].argmax(0).numpy().astype(np.uint8), self._ids)


def class_ids(labels: Mapping[int, str]) -> dict[int, int]:
    """Return CelebAMask-HQ's number of each class of a model, by its name.

    Raises:
        UserError: A name is not one of CelebAMask-HQ's, or skin and hair are not among them.
    """
    names = {int(number): str(name).strip().lower() for number, name in labels.items()}
    unknown = sorted(set(names.values()) - set(MASK_CLASSES))
    if unknown:
        raise UserError(
            f"the face parser has a class '{unknown[0]}'; expected names of CelebAMask-HQ's in its "
            f"config.json (id2label): {', '.join(MASK_CLASSES)}"
        )
    absent = [name for name in _REQUIRED if name not in names.values()]
    if absent:
        raise UserError(f"the face parser knows no '{absent[0]}'; expected one that parses faces")
    return {number: MASK_CLASSES.index(name) for number, name in names.items()}
