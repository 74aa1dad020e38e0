"""Portraits of seeds into an output folder, as every front end asks for them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import triptych
from triptych.config import to_dict
from triptych.errors import UserError, check_range, check_whole
from triptych.export.h264 import find_ffmpeg
from triptych.export.mesh import portrait_mesh, save_mesh
from triptych.export.pictures import save_png, view_pictures
from triptych.export.sheets import picture_sheet, wrapped
from triptych.export.video import save_turntable
from triptych.models.style_strength import FULL_STRENGTH, StyleStrength
from triptych.ops.precision import PathTaken
from triptych.portrait import Portrait
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder
from triptych.runs.record import model_record, run_record
from triptych.runs.style_source import StyleSource
from triptych.seeds import check_seed
from triptych.systems.generate.pipeline import LARGEST_TRUNCATION_PSI, GeneratePipeline
from triptych.training.fitted_heads import FittedHeadConfig, FittedHeads

SHEET_YAWS_DEG = (-30.0, 0.0, 30.0)
MOST_PORTRAITS = 100_000
MOST_SHOWN = 32
"""Heads beyond it are not on the sheet."""


@dataclass(frozen=True)
class GenerateJob:
    """What decides the results of a generation.

    Attributes:
        seeds: Which heads; see `GeneratePipeline`.
        model: "avatar", a name from the registry, or a file.
        truncation_psi: 1 draws from everything the model knows; towards 0 heads become more alike.
        size: Side of pictures and videos in pixels; the portrait's `picture_size` when None.
        turntable: Also write a video per head.
        mesh: Also write a mesh per head.
        device: Where networks compute; not part of the plan.
        refine: Fit each head to its avatar; see `training.fitted_heads`.
        style: What all heads wear.
        strength: How much of the style.

    Raises:
        UserError: A number is out of range.
    """

    seeds: tuple[int, ...]
    model: str = "avatar"
    truncation_psi: float = 1.0
    size: int | None = None
    turntable: bool = False
    mesh: bool = False
    device: torch.device = torch.device("cpu")
    refine: bool = False
    style: StyleSource | None = None
    strength: StyleStrength = FULL_STRENGTH

    def __post_init__(self) -> None:
        check_whole("number of seeds", len(self.seeds), 1, MOST_PORTRAITS)
        for seed in self.seeds:
            check_seed("seeds", seed)
        check_range("truncation_psi", self.truncation_psi, 0.0, LARGEST_TRUNCATION_PSI)
        if self.size is not None:
            check_whole("size", self.size, 16, 2048)
        if self.refine and self.truncation_psi != 1:
            raise UserError(
                f"refine fits a seed's own avatar: got truncation_psi {self.truncation_psi:g} with "
                "it; expected 1"
            )

        if self.refine and self.style is not None:
            raise UserError("refine fits a seed's own avatar, which wears no style; leave out one")
        if self.style is None and self.strength != FULL_STRENGTH:
            raise UserError("a strength needs a style: add --style and a style pack or a picture")

    def plan(self) -> dict[str, Any]:
        """Return everything that decides the results, as JSON values.

        Raises:
            UserError: The model is missing, or the style cannot be used.
        """
        name = "avatar-generator" if self.model == "avatar" else self.model
        return {
            "verb": "generate",
            "triptych": triptych.__version__,
            "model": model_record(name, "generator"),
            "seeds": list(self.seeds),
            "truncation_psi": self.truncation_psi,
            "size": self.size,
            **({"refine": to_dict(FittedHeadConfig())} if self.refine else {}),
            **(self._style_plan() if self.style is not None else {}),
            "turntable": self.turntable,
            "mesh": self.mesh,
        }

    def _style_plan(self) -> dict[str, Any]:
        assert self.style is not None
        return {"style": self.style.plan(self.model), "strength": to_dict(self.strength)}

    def pipeline(self) -> GeneratePipeline:
        """Load the model."""
        return GeneratePipeline.from_pretrained(self.model, device=self.device)

    def run(self, out: Path, *, overwrite: bool = False) -> None:
        """Write all portraits and the sheet; a finished run is not repeated.

        Raises:
            UserError: The folder holds other results, or a video is wanted and ffmpeg is missing.
        """
        if self.turntable:
            find_ffmpeg()
        fitted = FittedHeads() if self.refine else None
        folder = OutputFolder.open(out, self.plan(), overwrite=overwrite)
        if folder.done_before():
            return
        started = time.monotonic()
        with folder:
            path = self._write(folder.staging, fitted)
            folder.publish({**run_record(started, self.device), "path": path})

    def _write(self, folder: Path, fitted: FittedHeads | None) -> PathTaken:
        """Write everything and return which arithmetic made it."""
        pipeline = self.pipeline()
        for seed in self.seeds:
            pipeline.check_seed("seeds", seed)
        style = None if self.style is None else self.style.load(self.model, self.device)
        shown: list[list[np.ndarray]] = []
        with console.progress("generating", len(self.seeds)) as step:
            for seed in self.seeds:
                portrait = pipeline(
                    seed, truncation_psi=self.truncation_psi, style=style, strength=self.strength
                )
                if fitted is not None:
                    portrait = fitted(portrait, seed)
                self._save(portrait, folder / f"seed{seed:05d}")
                if len(shown) < MOST_SHOWN:
                    shown.append(self._views(portrait))
                step()
        rows, labels = wrapped(shown, [f"seed {seed}" for seed in self.seeds[:MOST_SHOWN]])
        save_png(folder / "sheet.png", picture_sheet(rows, row_labels=labels))
        return portrait.path_taken()

    def _save(self, portrait: Portrait, stem: Path) -> None:
        portrait.save(stem.with_suffix(".safetensors"))
        if self.turntable:
            save_turntable(stem.with_suffix(".mp4"), portrait, size=self.size)
        if self.mesh:
            save_mesh(stem.with_suffix(".glb"), portrait_mesh(portrait))

    def _views(self, portrait: Portrait) -> list[np.ndarray]:
        yaws = torch.deg2rad(torch.tensor(SHEET_YAWS_DEG))
        return view_pictures(portrait, portrait.orbit(yaws), self.size)
