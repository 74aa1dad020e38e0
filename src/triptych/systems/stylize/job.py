"""One stylising into an output folder, as every front end asks for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import triptych
from triptych.config import to_dict
from triptych.editors.image_editor import EditRequest
from triptych.export.h264 import find_ffmpeg
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder
from triptych.runs.record import file_record, model_record, run_record
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.systems.stylize.results import save_results, style_scores
from triptych.systems.stylize.settings import StylizeSettings
from triptych.systems.stylize.work_folder import RESUME_FOLDER
from triptych.training.fitted_heads import FittedHeadConfig, FittedHeads

_EMBEDDED = (
    ("avatar-generator", "generator"),
    ("avatar-i2t", "image-to-triplane"),
    ("avatar-features", "features"),
    ("avatar-classifier", "features"),
    ("avatar-editor", "editor"),
)


@dataclass(frozen=True)
class StylizeJob:
    """What decides the results of a stylising.

    Attributes:
        edit: The prompt and the seed.
        identity: Seed of the head, or a portrait file.
        settings: Views and fitting.
        model: "avatar"; a folder of models; or a generator alone, by its name or file.
        editor: "avatar" for the model's own; else see `editors.loading`.
        device: Where networks compute; not part of the plan: a stopped run goes on on any device.
        refine_identity: Fit the seed's head to its avatar first; see `training.fitted_heads`.
    """

    edit: EditRequest
    identity: int | Path
    settings: StylizeSettings
    model: str = "avatar"
    editor: str = "avatar"
    device: torch.device = torch.device("cpu")
    refine_identity: bool = False

    def plan(self) -> dict[str, Any]:
        """Return everything that decides the results, as JSON values.

        Raises:
            UserError: A model is missing.
        """
        head = self.identity
        return {
            "verb": "stylize",
            "triptych": triptych.__version__,
            **self.edit.record(),
            "identity": str(head),
            **({"identity_file": file_record(head)} if isinstance(head, Path) else {}),
            "model": self.model,
            "models": self._models(),
            "editor": self.editor,
            **({"refine_identity": to_dict(FittedHeadConfig())} if self.refine_identity else {}),
            "settings": to_dict(self.settings),
        }

    def pipeline(self) -> StylizePipeline:
        """Load the models."""
        if self.editor == "avatar":
            return StylizePipeline.from_pretrained(self.model, device=self.device)
        from triptych.editors.loading import load_editor

        editor = load_editor(self.editor)
        return StylizePipeline.from_pretrained(self.model, editor=editor, device=self.device)

    def run(self, out: Path, *, overwrite: bool = False) -> None:
        """Stylise into a folder; a finished run is not repeated, a stopped one goes on.

        Raises:
            UserError: The head or a model cannot be used, the folder holds other results, or ffmpeg
                is missing.
        """
        find_ffmpeg()
        fitted = FittedHeads() if self.refine_identity else None
        folder = OutputFolder.open(out, self.plan(), overwrite=overwrite)
        if folder.done_before():
            return
        if folder.resumed:
            console.note(f"going on with the run that was stopped in {out}")
        with folder.kept_for_resuming():
            self._write(folder, fitted)

    def _write(self, folder: OutputFolder, fitted: FittedHeads | None) -> None:
        started = time.monotonic()
        pipeline = self.pipeline()
        pipeline.editor.check(self.edit)
        for note in pipeline.editor.notes_for(self.edit):
            console.warn(note)
        if pipeline.image_to_triplane is None:
            console.warn(
                f"'{self.model}' has no Image-to-Triplane network: scales of its own codes and "
                "planes are tuned instead (FF3D's ablation), which takes on little of a style"
            )
        with console.stages() as progress:
            stylized = pipeline(
                self.edit,
                identity=self._head(pipeline, fitted, progress),
                work_dir=folder.staging,
                progress=progress,
                settings=self.settings,
            )
            seconds = save_results(stylized, folder.staging, progress)
        path = stylized.portrait.path_taken()
        record = {**run_record(started, self.device), "path": path, **stylized.report}
        record["seconds"] = {**stylized.report["seconds"], **seconds}
        if self.model == "avatar":
            record["scores"] = {"likeliest_styles": style_scores(stylized.portrait)}
        folder.publish(record, drop=(RESUME_FOLDER,))

    def _head(
        self, pipeline: StylizePipeline, fitted: FittedHeads | None, progress: Progress
    ) -> int | TriPlanePortrait:
        """Return what the pipeline takes for the head."""
        if isinstance(self.identity, Path):
            return TriPlanePortrait.load(self.identity)
        if fitted is None:
            return self.identity
        head = pipeline.subject(self.identity)
        return fitted(head, self.identity, progress=partial(progress, "refining the head"))

    def _models(self) -> list[dict[str, str]]:
        if self.model == "avatar":
            return [model_record(name, kind) for name, kind in _EMBEDDED]
        return [] if Path(self.model).is_dir() else [model_record(self.model, "generator")]
