"""`triptych generate`: seeds become plain 3D portraits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import triptych
from triptych.cli.options import MaybeInt, parse_seeds
from triptych.errors import check_range
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder

if TYPE_CHECKING:
    import numpy as np

    from triptych.ops.precision import PathTaken
    from triptych.portrait import Portrait

SHEET_YAWS_DEG = (-30.0, 0.0, 30.0)
MOST_SHOWN = 32
"""Heads beyond it are not on the sheet."""


@dataclass(frozen=True)
class Generate:
    """Make 3D portraits of people who do not exist, one per seed.

    The folder gets a portrait file per seed, a sheet of views, and on demand a turntable video and
    a mesh per seed.
    """

    out: Path
    """Folder for the results."""
    seeds: str = "0-7"
    """Which heads: 3, or 0-7, or 1,4,9."""
    model: str = "avatar"
    """Generator: a name from `triptych models`, or a file."""
    truncation_psi: float = 1.0
    """1: everything the model knows; towards 0: more average heads."""
    size: MaybeInt = None
    """Side of pictures and videos in pixels, 16 to 2048; the model's own by default."""
    turntable: bool = False
    """Also write a video per head."""
    mesh: bool = False
    """Also write a mesh per head."""
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        seeds = parse_seeds(self.seeds)
        check_range("--truncation-psi", self.truncation_psi, 0.0, 1.5)
        if self.size is not None:
            check_range("--size", self.size, 16, 2048)
        from triptych.models.latents import LAST_SEED
        from triptych.runs.record import model_record, run_record

        check_range("--seeds", max(seeds), 0, LAST_SEED)
        name = "avatar-generator" if self.model == "avatar" else self.model
        model = model_record(name, "generator")
        plan = {
            "verb": "generate",
            "triptych": triptych.__version__,
            "model": model,
            "seeds": seeds,
            "truncation_psi": self.truncation_psi,
            "size": self.size,
            "turntable": self.turntable,
            "mesh": self.mesh,
        }
        folder = OutputFolder.open(self.out, plan, overwrite=self.overwrite)
        if folder.finished:
            console.note(f"{self.out} already holds this very run; nothing to do")
            return
        started = time.monotonic()
        with folder:
            path = self._make(seeds, name, folder.staging)
            folder.publish({**run_record(started), "path": path})
        console.result(str(self.out))

    def _make(self, seeds: list[int], model: str, folder: Path) -> PathTaken:
        """Write everything and return which arithmetic made it."""
        from triptych.export.pictures import save_png
        from triptych.export.sheets import picture_sheet, wrapped
        from triptych.systems.generate.pipeline import GeneratePipeline

        pipeline = GeneratePipeline.from_pretrained(model)
        shown: list[list[np.ndarray]] = []
        with console.progress("generating", len(seeds)) as step:
            for seed in seeds:
                portrait = pipeline(seed, truncation_psi=self.truncation_psi)
                portrait.save(folder / f"seed{seed:05d}.safetensors")
                self._extras(portrait, folder / f"seed{seed:05d}")
                if len(shown) < MOST_SHOWN:
                    shown.append(self._views(portrait))
                step()
        rows, labels = wrapped(shown, [f"seed {seed}" for seed in seeds[:MOST_SHOWN]])
        save_png(folder / "sheet.png", picture_sheet(rows, row_labels=labels))
        return portrait.path_taken()

    def _views(self, portrait: Portrait) -> list[np.ndarray]:
        import torch

        from triptych.export.pictures import view_pictures

        yaws = torch.deg2rad(torch.tensor(SHEET_YAWS_DEG))
        return view_pictures(portrait, portrait.orbit(yaws), self.size)

    def _extras(self, portrait: Portrait, stem: Path) -> None:
        if self.turntable:
            from triptych.export.video import save_turntable

            save_turntable(stem.with_suffix(".mp4"), portrait, size=self.size)
        if self.mesh:
            from triptych.export.mesh import portrait_mesh, save_mesh

            save_mesh(stem.with_suffix(".glb"), portrait_mesh(portrait))
