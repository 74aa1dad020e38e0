"""A style pack of artworks, as every front end asks for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from triptych.errors import UserError
from triptych.export.pictures import colour_picture, save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.files import check_output_file
from triptych.photos.aligner import Detector
from triptych.photos.artworks import Artwork, artwork_files
from triptych.portrait import TriPlanePortrait
from triptych.portrait.style_pack import StylePack
from triptych.runs import console
from triptych.systems.adapt.few_shot import FewShotSettings
from triptych.systems.adapt.pipeline import PREVIEW_SEEDS, AdaptPipeline

_SHOWN_ARTWORKS = 4
_SHEET_YAWS_DEG = (-30.0, 0.0, 30.0)
_PREVIEW_YAWS_DEG = (20.0,)
_LONGEST_LICENCE = 500
_SHEET_EVERY_S = 60.0


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
        """Write the pack and, beside it, a sheet of artworks and heads, anew every minute.

        A run that is stopped leaves neither.

        Raises:
            UserError: There are no pictures, none can be read, or the file exists.
        """
        check_output_file(out, (".safetensors",), overwrite=overwrite)
        files, started = artwork_files(source, console.warn), time.monotonic()
        pipeline = AdaptPipeline.from_pretrained(
            self.model, detector=self.detector, device=self.device
        )
        artworks = pipeline.read(files, console.warn)
        sheet = out.with_suffix(".png")
        shown = started

        def look(pack: StylePack) -> None:
            nonlocal shown
            if time.monotonic() - shown > _SHEET_EVERY_S:
                save_png(sheet, style_sheet(pipeline, pack, artworks, _PREVIEW_YAWS_DEG))
                shown = time.monotonic()

        try:
            with console.stages() as progress:
                pack = pipeline(
                    artworks,
                    licence=self.licence,
                    settings=self.settings,
                    progress=progress,
                    look=look,
                )
        except BaseException:
            if shown != started:
                sheet.unlink(missing_ok=True)
            raise
        pack.save(out)
        save_png(sheet, style_sheet(pipeline, pack, artworks))
        report = pack.provenance["report"]
        console.note(
            f"style distance {report['style_distance_before']:.2f} -> "
            f"{report['style_distance']:.2f} of {len(artworks)} artworks, "
            f"{report['best_step']} steps, {time.monotonic() - started:.0f} s"
        )


def style_sheet(
    pipeline: AdaptPipeline,
    pack: StylePack,
    artworks: list[Artwork],
    yaws_deg: Sequence[float] = _SHEET_YAWS_DEG,
) -> np.ndarray:
    """Return artworks, then heads as they are and in the style from some sides."""
    rows = [[colour_picture(artwork.image[0]) for artwork in artworks[:_SHOWN_ARTWORKS]]]
    styled = pack.folded(pipeline.generator, pipeline.model)
    yaws = torch.deg2rad(torch.tensor(yaws_deg))
    size = pipeline.generator.config.image_size
    for seed in PREVIEW_SEEDS:
        ws = styled.mapping(styled.latent(seed))
        plain = TriPlanePortrait.from_generator(pipeline.generator, ws)
        worn = TriPlanePortrait.from_generator(styled, ws)
        row = view_pictures(plain, plain.orbit(torch.zeros(1)), size)
        rows.append([*row, *view_pictures(worn, worn.orbit(yaws), size)])
    labels = ["artworks", *(f"seed {seed}" for seed in PREVIEW_SEEDS)]
    return picture_sheet(rows, row_labels=labels)
