"""`triptych stylize`: a line of text becomes a stylised 3D portrait."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

import triptych
from triptych.cli.options import MaybeFloat, parse_key_values
from triptych.config import from_dict, to_dict
from triptych.errors import UserError, check_range
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder

if TYPE_CHECKING:
    from triptych.portrait import TriPlanePortrait
    from triptych.systems.stylize.pipeline import StylizePipeline
    from triptych.systems.stylize.settings import StylizeSettings


@dataclass(frozen=True)
class Stylize:
    """Turn a head into what a line of text says: FF3D, from text to a 3D portrait.

    The folder gets portrait.safetensors, which every other verb opens, turntable.mp4, mesh.glb,
    the sheet views.png, the edited pictures in views/, and run.json with all settings. A run that
    was stopped goes on when the same command is given again.
    """

    prompt: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")]
    """What the head becomes ("a bronze statue") or an instruction ("make him old")."""
    out: Path
    """Folder for the results."""
    identity: str = "0"
    """Whose head: a seed, as in generate, or a portrait file, such as triptych invert makes."""
    quality: str = "standard"
    """draft, standard or high: more views and steps cost more time."""
    seed: int = 0
    """Seed of the edit; another one gives another rendition of the same words."""
    model: str = "avatar"
    """avatar; a folder with generator, i2t, features and editor; or a generator's file."""
    editor: str = "avatar"
    """Who edits the pictures: avatar, instruct-pix2pix (downloads several GB), or a folder."""
    yaw_range_deg: MaybeFloat = None
    """Largest yaw of the edited views in degrees, 0 to 90; 30 by default."""
    pitch_range_deg: MaybeFloat = None
    """Largest pitch of the edited views in degrees, 0 to 60; 30 by default."""
    set: tuple[str, ...] = ()
    """Single settings as KEY=VALUE, for instance steps=200 num_yaw=6."""
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.systems.stylize.prompt import check_prompt

        check_prompt(self.prompt)
        check_range("--seed", self.seed, 0, 2**31 - 1)
        settings = self._settings()
        identity = _identity(self.identity)
        folder = OutputFolder.open(self.out, self._plan(settings), overwrite=self.overwrite)
        if folder.finished:
            console.note(f"{self.out} already holds this very run; nothing to do")
            return
        if folder.resumed:
            console.note(f"going on with the run that was stopped in {self.out}")
        try:
            self._make(folder, identity, settings)
        except KeyboardInterrupt:
            folder.discard_if_empty()
            raise KeyboardInterrupt(
                "stopped; the same command goes on from here; earlier results are untouched"
            ) from None
        except Exception:
            folder.discard_if_empty()
            raise
        console.result(str(self.out))

    def _make(self, folder: OutputFolder, identity: int | Path, settings: StylizeSettings) -> None:
        from triptych.portrait import TriPlanePortrait
        from triptych.runs.record import run_record
        from triptych.systems.stylize.pipeline import RESUME_FOLDER
        from triptych.systems.stylize.results import save_results, style_scores

        started = time.monotonic()
        pipeline = self._pipeline()
        for remark in pipeline.editor.notes_for(self.prompt):
            console.warn(remark)
        if Path(self.model).is_file():
            console.warn("this generator has no Image-to-Triplane network; its own codes are tuned")
        head: int | TriPlanePortrait = (
            identity if isinstance(identity, int) else TriPlanePortrait.load(identity)
        )
        with console.stages() as progress:
            stylized = pipeline(
                self.prompt,
                identity=head,
                seed=self.seed,
                work_dir=folder.staging,
                progress=progress,
                settings=settings,
            )
            seconds = save_results(stylized, folder.staging, progress)
        path = stylized.portrait.path_taken()
        record = {**run_record(started), "path": path, **stylized.report}
        record["seconds"] = {**stylized.report["seconds"], **seconds}
        if self.model == "avatar":
            record["scores"] = {"likeliest_styles": style_scores(stylized.portrait)}
        folder.publish(record, drop=(RESUME_FOLDER,))

    def _pipeline(self) -> StylizePipeline:
        from triptych.systems.stylize.pipeline import StylizePipeline

        if self.editor == "avatar":
            return StylizePipeline.from_pretrained(self.model)
        from triptych.editors.files import OFFICIAL_EDITOR
        from triptych.editors.instruct_pix2pix import InstructPix2PixEditor

        official = self.editor == "instruct-pix2pix"
        editor = InstructPix2PixEditor.from_pretrained(
            OFFICIAL_EDITOR if official else self.editor, allow_download=official
        )
        return StylizePipeline.from_pretrained(self.model, editor=editor)

    def _settings(self) -> StylizeSettings:
        from triptych.systems.stylize.settings import StylizeSettings, preset

        values = to_dict(preset(self.quality))
        if self.yaw_range_deg is not None:
            check_range("--yaw-range-deg", self.yaw_range_deg, 0, 90)
            values["yaw_range"] = math.radians(self.yaw_range_deg)
        if self.pitch_range_deg is not None:
            check_range("--pitch-range-deg", self.pitch_range_deg, 0, 60)
            values["pitch_range"] = math.radians(self.pitch_range_deg)
        return from_dict(StylizeSettings, values | parse_key_values(self.set))

    def _plan(self, settings: StylizeSettings) -> dict[str, Any]:
        from triptych.runs.record import file_record

        head = Path(self.identity)
        return {
            "verb": "stylize",
            "triptych": triptych.__version__,
            "prompt": self.prompt,
            "identity": self.identity,
            **({"identity_file": file_record(head)} if head.is_file() else {}),
            "seed": self.seed,
            "model": self.model,
            "models": self._models(),
            "editor": self.editor,
            "settings": to_dict(settings),
        }

    def _models(self) -> list[dict[str, str]]:
        from triptych.runs.record import model_record

        if self.model == "avatar":
            return _embedded_models()
        is_file = Path(self.model).is_file()
        return [model_record(Path(self.model), "generator")] if is_file else []


def _identity(text: str) -> int | Path:
    """Return the seed or the portrait file that is meant."""
    if text.isascii() and text.isdigit():
        from triptych.models.latents import LAST_SEED

        check_range("--identity", int(text), 0, LAST_SEED)
        return int(text)
    path = Path(text)
    if path.is_file():
        from triptych.portrait.portrait_file import check_is_portrait

        check_is_portrait(path)
        return path
    missing = "; there is no such file" if path.suffix else ""
    raise UserError(
        f"--identity: got '{text}'; expected a seed, 0 or more, or a portrait file{missing}"
    )


def _embedded_models() -> list[dict[str, str]]:
    from triptych.runs.record import model_record

    return [
        model_record("avatar-generator", "generator"),
        model_record("avatar-i2t", "image-to-triplane"),
        model_record("avatar-features", "features"),
        model_record("avatar-classifier", "features"),
        model_record("avatar-editor", "editor"),
    ]
