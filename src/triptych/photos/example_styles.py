"""An example picture becomes the style of every head of a generator, without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from triptych.arguments import checked
from triptych.errors import UserError
from triptych.models.example_styler import ExampleStyler
from triptych.ops.placement import device_of, move
from triptych.photos.aligner import Detector, PhotoAligner
from triptych.photos.artworks import Artwork, images_of, on_plain_background, read_artworks
from triptych.photos.matting import HeadMatting
from triptych.portrait.provenance import provenance_of
from triptych.portrait.style_pack import StyledModel, StylePack
from triptych.weights import load_network, read_header
from triptych.weights.framing_of_model import framing_of_model
from triptych.weights.registry import MODELS, weight_file

DEFAULT_STYLER = "avatar-styler"


class ExampleStyles:
    """Makes style packs of example pictures.

    Args:
        styler: What sees the pictures.
        align: Finds faces in them.
        matting: Lays them on the plain background; None leaves them as they are.
        name: Of the styler.
        hashes: Hash of its file by name.
    """

    @checked
    def __init__(
        self,
        styler: ExampleStyler,
        align: PhotoAligner,
        *,
        matting: HeadMatting | None = None,
        name: str = "unnamed",
        hashes: dict[str, str] | None = None,
    ) -> None:
        self.styler = styler.eval().requires_grad_(False)
        self.align, self.matting = align, matting
        self.name, self.hashes = name, dict(hashes or {})

    @classmethod
    @checked
    def from_pretrained(
        cls,
        model: str | Path = "avatar",
        styler: str | Path = DEFAULT_STYLER,
        *,
        detector: Detector = "auto",
        device: torch.device | str = "cpu",
    ) -> ExampleStyles:
        """Assemble it from names of `triptych models` or from files.

        Args:
            model: The generator whose heads will wear the styles.
            styler: What was trained for it.
            detector: What searches for faces.
            device: Where everything computes.

        Raises:
            UserError: One is missing, or they do not belong together.
        """
        check_styler(styler, model)
        framing = framing_of_model(model)
        styles = cls(
            load_network(styler, "example-styler"),
            PhotoAligner(framing, detector=detector),
            matting=HeadMatting.for_framing(framing, detector) if framing.upright else None,
            name=str(styler),
            hashes={"styler": read_header(weight_file(styler, "example-styler")).sha256},
        )
        return styles.to(device)

    @checked
    def to(self, device: torch.device | str) -> ExampleStyles:
        """Let everything compute on a device, and return self; styles are on the CPU."""
        for part in (self.styler, self.align, self.matting):
            move(part, device)
        return self

    def read(self, files: Sequence[Path], warn: Callable[[str], None]) -> list[Artwork]:
        """Read examples; see `artworks.read_artworks`."""
        size = self.styler.config.image_size
        found = read_artworks(files, self.align, size, warn)
        return [on_plain_background(artwork, self.matting) for artwork in found]

    @checked
    @torch.no_grad()
    def __call__(self, examples: Sequence[Artwork], *, licence: str = "not stated") -> StylePack:
        """Return the style of examples; of several, the mean of their styles.

        Args:
            examples: At least one; see `read`.
            licence: Terms of the pictures, for the pack.
        """
        config = self.styler.config
        images = images_of(examples).to(device_of(self.styler))
        numbers = self.styler(images).mean().copied()
        record = provenance_of(
            "example", self.name, self.hashes, artworks=[example.name for example in examples]
        )
        return StylePack(
            StyledModel(config.generator, config.sha256),
            dict(numbers.factors),
            dict(numbers.shifts),
            licence=licence,
            provenance=record,
            colours=numbers.colours,
        )


def check_styler(styler: str | Path, model: str | Path = "avatar") -> None:
    """Check that a styler is there and belongs to a generator.

    Raises:
        UserError: It is not there yet, or belongs to another generator.
    """
    if styler == DEFAULT_STYLER and not MODELS[DEFAULT_STYLER].present():
        raise UserError(
            "style: an example picture needs the style encoder, which this installation does not "
            "have; make a style pack of the picture with `triptych adapt` first, or train the "
            "encoder (`triptych train adapt-avatars`) and name its file with --styler"
        )
    header = read_header(weight_file(styler, "example-styler"))
    if header.class_name != ExampleStyler.__name__:
        raise UserError(f"{styler} holds a {header.class_name}; expected an ExampleStyler")
    name = "avatar-generator" if model == "avatar" else model
    generator = read_header(weight_file(name, "generator"))
    if header.config.get("sha256") != generator.sha256:
        raise UserError(
            f"the style encoder {styler} was trained for the generator "
            f"'{header.config.get('generator')}': got {name}; use the one it was trained for, or "
            "train it again"
        )
