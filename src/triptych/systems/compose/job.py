"""Composed portraits into an output folder, as every front end asks for them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import torch

import triptych
from triptych.errors import UserError, check_choice, check_range, check_whole
from triptych.export.h264 import find_ffmpeg
from triptych.ops.precision import PathTaken
from triptych.portrait import Portrait
from triptych.progress import Progress, count_steps
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder
from triptych.runs.portrait_results import save_portrait_files
from triptych.runs.record import file_record, model_record, run_record
from triptych.seeds import LAST_AVATAR_SEED
from triptych.systems.compose.locality import swap_locality
from triptych.systems.compose.pipeline import (
    ComposePipeline,
    RegionChoice,
    Semantics,
    generator_name,
)
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.systems.compose.results import MORPH_FILE, VIEWS_FILE, save_morph, save_views
from triptych.systems.compose.style_codes import Truncation


@dataclass(frozen=True)
class ComposeJob:
    """What decides the results of a composition.

    Attributes:
        seeds: Whose heads, each 0 to 99,999; one folder for each where there are several. Empty
            to go on from a portrait.
        portrait: A portrait of regions to go on from; None for seeds.
        regions: Regions from other seeds.
        only: Regions that are shown alone; None for all.
        semantics: How regions are shown alone; see `ComposePipeline`.
        interpolate: Regions that turn into those of other seeds, in a video.
        frames: Frames of that video.
        model: "avatar", a name from the registry, or a file.
        truncation_psi: See `ComposePipeline`.
        truncation: See `style_codes.Truncation`.
        size: Side of pictures in pixels; the model's own when None.
        device: Where networks compute; not part of the plan.

    Raises:
        UserError: A number is out of range, or seeds and portrait are both given or both missing.
    """

    seeds: tuple[int, ...] = ()
    portrait: Path | None = None
    regions: tuple[RegionChoice, ...] = ()
    only: tuple[str, ...] | None = None
    semantics: Semantics = "true"
    interpolate: tuple[RegionChoice, ...] = ()
    frames: int = 24
    model: str = "avatar"
    truncation_psi: float = 0.7
    truncation: Truncation = "single"
    size: int | None = None
    device: torch.device = torch.device("cpu")

    def __post_init__(self) -> None:
        if bool(self.seeds) == (self.portrait is not None):
            raise UserError(
                "seeds or a portrait: got "
                f"{'both' if self.seeds else 'neither'}; expected --seeds for new heads, or the "
                "file of a portrait to go on from"
            )
        for seed in self.seeds:
            check_whole("seeds", seed, 0, LAST_AVATAR_SEED)
        check_whole("frames", self.frames, 2, 10_000)
        check_range("truncation_psi", self.truncation_psi, 0.0, 1.5)
        check_choice("truncation", self.truncation, get_args(Truncation))
        check_choice("semantics", self.semantics, get_args(Semantics))
        if self.size is not None:
            check_whole("size", self.size, 16, 2048)

    def plan(self) -> dict[str, Any]:
        """Return everything that decides the results, as JSON values.

        Raises:
            UserError: The model or the portrait is missing.
        """
        if self.portrait is not None and not self.portrait.is_file():
            raise UserError(f"there is no portrait {self.portrait}")
        model = None
        if self.portrait is None:
            model = model_record(generator_name(self.model), "region-generator")
        return {
            "verb": "compose",
            "triptych": triptych.__version__,
            "model": model,
            "portrait": None if self.portrait is None else file_record(self.portrait),
            "seeds": list(self.seeds),
            "regions": [asdict(choice) for choice in self.regions],
            "only": None if self.only is None else list(self.only),
            "semantics": self.semantics,
            "interpolate": [asdict(choice) for choice in self.interpolate],
            "frames": self.frames,
            "truncation_psi": self.truncation_psi,
            "truncation": self.truncation,
            "size": self.size,
        }

    def run(self, out: Path, *, overwrite: bool = False) -> None:
        """Write all portraits; a finished run is not repeated.

        Raises:
            UserError: The folder holds other results, or a region is unknown.
        """
        plan = self.plan()
        start, end = self._portraits()  # every wrong word is found before the folder is made
        find_ffmpeg()
        folder = OutputFolder.open(out, plan, overwrite=overwrite)
        if folder.done_before():
            return
        started = time.monotonic()
        with folder, console.stages() as progress:
            record = self._write(folder.staging, start, end, progress)
            folder.publish({**run_record(started, self.device), **record})

    def _portraits(self) -> tuple[list[RegionPortrait], list[RegionPortrait | None]]:
        """Return the portraits, and where each goes in the morph."""
        pipeline, given = self._pipeline, self._given
        starts = (
            [pipeline.changed(given, self.regions, only=self.only, semantics=self.semantics)]
            if given is not None
            else [self._of_seed(seed) for seed in self.seeds]
        )
        if not self.interpolate:
            return starts, [None] * len(starts)
        ends = [
            pipeline.changed(start, self.interpolate, only=self.only, semantics=self.semantics)
            for start in starts
        ]
        return starts, list(ends)

    def _write(
        self,
        staging: Path,
        starts: list[RegionPortrait],
        ends: list[RegionPortrait | None],
        progress: Progress,
    ) -> dict[str, Any]:
        """Write everything; return which arithmetic made it and how local the swaps are."""
        record: dict[str, Any] = {}
        path: PathTaken = "exact"
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            folder = staging
            if len(starts) > 1:
                folder = staging / f"seed{self.seeds[index]:05d}"
                folder.mkdir(exist_ok=True)
            save_portrait_files(start, folder, progress)
            save_views(folder / VIEWS_FILE, start, self.size)
            if end is not None:
                step = count_steps(progress, "morphing", self.frames)
                save_morph(folder / MORPH_FILE, start, end, self.frames, self.size, step)
            path = start.path_taken()
        if self.regions and self.only is None:
            record["locality"] = self._locality(starts[0])
        return {"path": path, **record}

    def _locality(self, portrait: RegionPortrait) -> dict[str, Any]:
        before = self._given or self._pipeline(
            self.seeds[0], truncation_psi=self.truncation_psi, truncation=self.truncation
        )
        names = {choice.region for choice in self.regions}
        regions = [portrait.region_names.index(name) for name in names]
        return swap_locality(before, portrait, tuple(sorted(regions))).record()

    def _of_seed(self, seed: int) -> RegionPortrait:
        return self._pipeline(
            seed,
            self.regions,
            only=self.only,
            semantics=self.semantics,
            truncation_psi=self.truncation_psi,
            truncation=self.truncation,
        )

    @cached_property
    def _given(self) -> RegionPortrait | None:
        """The portrait to go on from."""
        if self.portrait is None:
            return None
        found = Portrait.load(self.portrait, self.device)
        if not isinstance(found, RegionPortrait):
            raise UserError(
                f"{self.portrait} holds a {type(found).__name__}, which has no regions; expected "
                "a portrait that triptych compose wrote"
            )
        return found

    @cached_property
    def _pipeline(self) -> ComposePipeline:
        given = self._given
        if given is not None:
            return ComposePipeline.of_portrait(given)
        return ComposePipeline.from_pretrained(self.model, device=self.device)
