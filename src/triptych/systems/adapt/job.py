"""A style pack of artworks, as every front end asks for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from triptych.errors import UserError
from triptych.export.pictures import colour_picture, save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.files import check_output_file
from triptych.photos.aligner import Detector
from triptych.portrait import TriPlanePortrait
from triptych.portrait.style_pack import StylePack
from triptych.runs import console
from triptych.systems.adapt.artworks import Artwork, artwork_files
from triptych.systems.adapt.few_shot import FewShotSettings
from triptych.systems.adapt.pipeline import PREVIEW_SEEDS, AdaptPipeline

_SHOWN_ARTWORKS = 4
_SHEET_YAWS_DEG = (-30.0, 0.0, 30.0)
_LONGEST_LICENCE = 500


@dataclass(frozen=True)
class AdaptJob:
    """What decides a style, and where it is learned.

    Attributes:
        model: "avatar", a name from the registry, or a file.
        detector: What looks for faces in the artworks.
        licence: Terms of the artworks, as the user states them.
        settings: Steps and weights.
        device: Where networks compute.

    Raises:
        UserError: The licence is too long.
    """

    model: str = "avatar"
    detector: Detector = "auto"
    licence: str = "not stated"
    settings: FewShotSettings = field(default_factory=FewShotSettings)
    device: torch.device = torch.device("cpu")

    def __post_init__(self) -> None:
        if len(self.licence) > _LONGEST_LICENCE:
            raise UserError(
                f"licence: got {len(self.licence)} letters; expected at most {_LONGEST_LICENCE}"
            )

    def run(self, source: Path, out: Path, *, overwrite: bool = False) -> None:
        """Write the pack and, beside it, a sheet of artworks and heads.

        Raises:
            UserError: There are no pictures, too many, none can be read, or the file exists.
        """
        check_output_file(out, (".safetensors",), overwrite=overwrite)
        files, started = artwork_files(source), time.monotonic()
        pipeline = AdaptPipeline.from_pretrained(
            self.model, detector=self.detector, device=self.device
        )
        artworks = pipeline.read(files, console.warn)
        with console.stages() as progress:
            pack = pipeline(
                artworks, licence=self.licence, settings=self.settings, progress=progress
            )
        pack.save(out)
        save_png(out.with_suffix(".png"), style_sheet(pipeline, pack, artworks))
        report = pack.provenance["report"]
        console.note(
            f"style distance {report['style_distance_before']:.2f} -> "
            f"{report['style_distance']:.2f} of {len(artworks)} artworks, "
            f"{report['best_step']} steps, {time.monotonic() - started:.0f} s"
        )


def style_sheet(pipeline: AdaptPipeline, pack: StylePack, artworks: list[Artwork]) -> np.ndarray:
    """Return artworks, then heads as they are and in the style from three sides."""
    rows = [[colour_picture(artwork.image[0]) for artwork in artworks[:_SHOWN_ARTWORKS]]]
    styled = pack.folded(pipeline.generator, pipeline.model)
    yaws = torch.deg2rad(torch.tensor(_SHEET_YAWS_DEG))
    size = pipeline.generator.config.image_size
    for seed in PREVIEW_SEEDS:
        ws = styled.mapping(styled.latent(seed))
        plain = TriPlanePortrait.from_generator(pipeline.generator, ws)
        worn = TriPlanePortrait.from_generator(styled, ws)
        row = view_pictures(plain, plain.orbit(torch.zeros(1)), size)
        rows.append([*row, *view_pictures(worn, worn.orbit(yaws), size)])
    labels = ["artworks", *(f"seed {seed}" for seed in PREVIEW_SEEDS)]
    return picture_sheet(rows, row_labels=labels)
