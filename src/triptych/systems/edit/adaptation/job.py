"""A custom edit learned from pairs, as every front end asks for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from triptych.config import to_dict
from triptych.editors.image_editor import EditRequest
from triptych.editors.loading import load_editor
from triptych.errors import UserError, check_whole
from triptych.export.pictures import colour_picture, save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.files import check_output_file
from triptych.metrics.metric_networks import find_metric_networks
from triptych.photos.aligner import Detector
from triptych.progress import Progress
from triptych.runs import console
from triptych.systems.edit.adaptation.learning import AdaptationSettings, EditLearner, LearnedEdit
from triptych.systems.edit.adaptation.pairs import (
    MOST_PAIRS,
    Pair,
    made_pairs,
    pair_files,
    read_pair,
)
from triptych.systems.edit.pipeline import AVATAR, EditPipeline
from triptych.systems.edit.style import EditModel, EditStyle
from triptych.weights.loading import load_generator

SNAPSHOTS = (10.0, 60.0)
_KIND = "portrait-encoder"
_FIRST_SEED = 20_000
_SIDES_DEG = (-30.0, 0.0, 30.0)
_SHOWN_PAIRS = 4


@dataclass(frozen=True)
class EditStyleJob:
    """What decides a custom edit, and where it is learned.

    Attributes:
        name: What the edit is called.
        prompt: Words for an image editor, which makes the pairs; None where they are given.
        editor: That editor: a name of `triptych models`, or a folder.
        count: Pairs that it makes.
        generator: Makes the heads of those pairs.
        model: "avatar", a name from the registry, or a file.
        base: The Live3D file that an official model was trained over.
        detector: What looks for faces in pairs.
        settings: Steps and weights.
        device: Where networks compute.

    Raises:
        UserError: The number of pairs is out of range.
    """

    name: str = "custom"
    prompt: str | None = None
    editor: str = "avatar-editor"
    count: int = MOST_PAIRS
    generator: str = "avatar-generator"
    model: str = AVATAR
    base: str | None = None
    detector: Detector = "auto"
    settings: AdaptationSettings = field(default_factory=AdaptationSettings)
    device: torch.device = torch.device("cpu")

    def __post_init__(self) -> None:
        check_whole("--count", self.count, 1, MOST_PAIRS)
        if self.prompt is not None:
            EditRequest(self.prompt)

    def run(self, folder: Path | None, out: Path, *, overwrite: bool = False) -> None:
        """Write the edit and, beside it, a sheet of pairs and of what was learned.

        Args:
            folder: Folder of before/ and after/; None where an editor makes the pairs.
            out: File to write (.safetensors).
            overwrite: Replace a file that exists.

        Raises:
            UserError: Pairs are missing, do not match, or cannot be read; or the file exists.
        """
        if (folder is None) == (self.prompt is None):
            got = "neither" if folder is None else "both"
            raise UserError(
                f"pairs: got {got}; expected a folder of before/ and after/, or --prompt for an "
                "image editor to make them"
            )
        files = pair_files(folder) if folder is not None else []
        check_output_file(out, (".safetensors",), overwrite=overwrite)
        started = time.monotonic()
        pipeline = EditPipeline.from_pretrained(
            self.model, base=self.base, detector=self.detector, device=self.device
        )
        _check(pipeline)
        with console.stages() as progress:
            pairs = [read_pair(source, edited, pipeline) for source, edited in files]
            pairs = pairs or self._made(pipeline, progress)
            if len(pairs) == 1:
                console.warn("one pair only: none is held out to say when to stop")
            learned = self.learned(pipeline, pairs, progress)
        style = replace(
            learned.style,
            provenance={
                **learned.style.provenance,
                "pairs": [pair.name for pair in pairs],
                **({"prompt": self.prompt, "editor": self.editor} if self.prompt else {}),
                "settings": to_dict(self.settings),
            },
        )
        style.save(out)
        save_png(out.with_suffix(".png"), edit_sheet(pipeline, pairs, learned))
        report = learned.report
        console.note(
            f"distance {report['distance_before']:.3f} -> {report['distance']:.3f} of "
            f"{'the held-out pair' if report['held_out'] else 'the pair'}, {report['steps']} "
            f"steps, {time.monotonic() - started:.0f} s, {out.stat().st_size / 1e3:.0f} kB"
        )

    def learned(
        self, pipeline: EditPipeline, pairs: Sequence[Pair], progress: Progress
    ) -> LearnedEdit:
        """Learn the edit of pairs."""
        networks = find_metric_networks() if self.settings.perceptual else None
        model = EditModel(pipeline.name, pipeline.hashes.get(_KIND, ""), self.name)
        perceptual = networks.to(self.device).perceptual if networks is not None else None
        learner = EditLearner(pipeline.network, model, self.settings, perceptual)
        return learner(pairs, snapshots=SNAPSHOTS, progress=progress)

    def _made(self, pipeline: EditPipeline, progress: Progress) -> list[Pair]:
        assert self.prompt is not None
        return made_pairs(
            load_generator(self.generator, self.device),
            load_editor(self.editor).to(self.device),
            EditRequest(self.prompt, self.settings.seed),
            range(_FIRST_SEED, _FIRST_SEED + self.count),
            pipeline.network.config.encoder.image_size,
            progress,
        )


def edit_sheet(pipeline: EditPipeline, pairs: Sequence[Pair], learned: LearnedEdit) -> np.ndarray:
    """Return pairs, then the held-out one as the edit was after each snapshot, and as it is."""
    shown = pairs[:_SHOWN_PAIRS]
    rows = [[colour_picture(one[0]) for pair in shown for one in (pair.before, pair.after)]]
    labels = [f"pairs: {', '.join(pair.name for pair in shown)}"]
    styles: dict[str, EditStyle] = {
        f"after {mark:.0f} s": style for mark, style in learned.snapshots.items()
    }
    styles["kept"] = learned.style
    last = pairs[-1]
    for label, style in styles.items():
        portrait = pipeline(last.before, style=style).portrait
        sides = torch.tensor(_SIDES_DEG).deg2rad()
        heads = view_pictures(portrait, portrait.orbit(sides, torch.zeros(len(sides))))
        rows.append([colour_picture(last.before[0]), colour_picture(last.after[0]), *heads])
        labels.append(f"{last.name}: before, after, the learned edit, {label}")
    return picture_sheet(rows, row_labels=labels, cell=pipeline.network.config.encoder.image_size)


def _check(pipeline: EditPipeline) -> None:
    """Raise UserError unless a pipeline can learn custom edits."""
    if not pipeline.takes_prompts:
        raise UserError(f"{pipeline.name} takes no prompt; no edit can be learned on it")
    if not pipeline.network.encoder.knows_unedited:
        raise UserError(
            f"{pipeline.name} does not keep the base that it was trained over, which teaches the "
            "edit; give the Live3D file with --base"
        )
