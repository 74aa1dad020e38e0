"""A style as front ends name it: a style pack, or an example picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from triptych.errors import UserError
from triptych.photos.aligner import Detector
from triptych.photos.example_styles import DEFAULT_STYLER, ExampleStyles, check_styler
from triptych.photos.photo import read_photo
from triptych.photos.picture_file import PICTURE_SUFFIXES
from triptych.portrait.style_pack import StyledModel, StylePack
from triptych.runs import console
from triptych.runs.record import file_record, model_record
from triptych.weights import read_header
from triptych.weights.registry import weight_file


@dataclass(frozen=True)
class StyleSource:
    """A style that heads of a generator will wear.

    Attributes:
        path: A style pack (.safetensors), or a picture.
        styler: What makes styles of pictures: a name from `triptych models`, or a file.
        detector: What looks for a face in a picture.
    """

    path: Path
    styler: str = DEFAULT_STYLER
    detector: Detector = "auto"

    @property
    def is_picture(self) -> bool:
        """Whether it is an example picture, by its name."""
        return self.path.suffix.lower() in PICTURE_SUFFIXES

    def plan(self, model: str) -> dict[str, Any]:
        """Return what decides the style, as JSON values.

        Args:
            model: "avatar", a name from the registry, or a file of the generator.

        Raises:
            UserError: There is no such style or picture, it is broken, or it belongs to another
                generator.
        """
        if not self.is_picture:
            style = self._pack()
            style.check_model(styled_model(model))
            return style.record()
        if not self.path.is_file():
            raise UserError(f"style: there is no picture {self.path}")
        check_styler(self.styler, model)
        read_photo(self.path)
        styler = model_record(self.styler, "example-styler")
        return {"picture": file_record(self.path), "styler": styler, "detector": self.detector}

    def load(self, model: str, device: torch.device) -> StylePack:
        """Read the pack, or make it of the picture; see `plan`."""
        if not self.is_picture:
            return self._pack()
        styles = ExampleStyles.from_pretrained(
            model, self.styler, detector=self.detector, device=device
        )
        return styles(styles.read([self.path], console.warn))

    def _pack(self) -> StylePack:
        if self.path.suffix.lower() != ".safetensors":
            raise UserError(
                f"style: got {self.path}; expected a style pack (.safetensors), which "
                "`triptych adapt` makes from pictures, or a picture"
            )
        return StylePack.load(self.path)


def styled_model(model: str) -> StyledModel:
    """Return name and hash of a generator, by which styles belong to it."""
    name = "avatar-generator" if model == "avatar" else model
    return StyledModel(name, read_header(weight_file(name, "generator")).sha256)
