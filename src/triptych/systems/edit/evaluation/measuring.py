"""Measures heads one by one: every style by every method, learned edits among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueHeads, unseen_cameras
from triptych.avatars.styles.phrases import sample_phrase
from triptych.camera import Camera
from triptych.editors.image_editor import ImageEditor
from triptych.metrics.metric_networks import StyleNetworks
from triptych.runs.evaluation import MeasuredHead
from triptych.systems.edit.adaptation.learning import EditLearner
from triptych.systems.edit.adaptation.pairs import Pair
from triptych.systems.edit.evaluation.figures import Truth, figures_of, side_cameras
from triptych.systems.edit.evaluation.methods import REFERENCE, WORDS, Asked, Rival, answers
from triptych.systems.edit.evaluation.report import SEPARATOR
from triptych.systems.edit.evaluation.settings import EditEvaluation
from triptych.systems.edit.pipeline import EditPipeline
from triptych.systems.edit.prompt import middle_square
from triptych.systems.edit.style import EditModel, EditStyle

_ADAPTATION_SEED = 9_000
_KIND = "portrait-encoder"


class HeadMeasurer:
    """Measures heads one by one; learned edits are made when first needed."""

    def __init__(
        self,
        pipeline: EditPipeline,
        heads: TrueHeads,
        networks: StyleNetworks,
        evaluation: EditEvaluation,
        editor: ImageEditor | None,
        rival: Rival | None,
        folder: Path | None,
    ) -> None:
        self.pipeline, self.heads, self.networks = pipeline, heads, networks
        self.evaluation, self.editor, self.rival = evaluation, editor, rival
        self.folder = folder
        self.size = pipeline.network.config.rendering.image_size
        self._edits: dict[str, dict[str, EditStyle]] = {}

    def head(self, seed: int, styles: Sequence[str], pictured: bool) -> MeasuredHead:
        """Return the figures of a head by method and style."""
        camera = unseen_cameras(seed, 2)[1]
        photo = self._true(seed, None, camera)
        embed = self.networks.identity.embed
        other = embed(self._true(seed + 1, None, unseen_cameras(seed + 1, 2)[1]))
        source = embed(photo)
        rows: dict[str, dict[str, float]] = {}
        pictures: list[Tensor] = []
        for style in styles:
            phrase = sample_phrase([style], np.random.default_rng((seed, len(style))))
            reference = self._true(seed + 1, style, unseen_cameras(0, 1))
            truth = Truth(
                camera,
                self._true(seed, style, camera),
                self._true(seed, style, side_cameras()),
                source,
                other,
            )
            adapted = {style: self._edits_of(style)} if style in self.evaluation.held_out else {}
            asked = Asked(photo, reference, phrase, style, seed)
            made = answers(self.pipeline, self.editor, asked, adapted, self.rival)
            shown = [photo, truth.front]
            for method, answer in made.items():
                figures, views = figures_of(answer, style, truth, self.networks)
                rows[f"{method}{SEPARATOR}{style}"] = figures
                if method in (WORDS, REFERENCE):
                    shown.append(views)
            if pictured and not pictures:
                pictures = shown
        return MeasuredHead(rows, torch.cat(pictures)) if pictures else MeasuredHead(rows)

    def _edits_of(self, style: str) -> dict[str, EditStyle]:
        """Return the edits learned for a style, by the name of their row."""
        if style not in self._edits:
            self._edits[style] = self._kept_edits(style)
        return self._edits[style]

    def _kept_edits(self, style: str) -> dict[str, EditStyle]:
        marks = self.evaluation.marks
        rows = {f"adapted, {mark:.0f} s": mark for mark in marks}
        folder = None if self.folder is None else self.folder / "edits"
        files = {
            row: f"{style.replace(' ', '-')}-{mark:.0f}.safetensors" for row, mark in rows.items()
        }
        sha256 = self.pipeline.hashes.get(_KIND, "")
        if folder is not None and all((folder / file).is_file() for file in files.values()):
            styles = {row: EditStyle.load(folder / file) for row, file in files.items()}
            if all(one.model.sha256 == sha256 for one in styles.values()):
                return styles
        settings = replace(self.evaluation.adaptation, seconds=max(marks))
        model = EditModel(self.pipeline.name, sha256, style)
        learner = EditLearner(self.pipeline.network, model, settings, self.networks.distance)
        with torch.enable_grad():
            learned = learner(self._pairs(style), snapshots=marks)
        made = {row: learned.snapshots[mark] for row, mark in rows.items()}
        if folder is not None:
            folder.mkdir(exist_ok=True)
            for row, one in made.items():
                one.save(folder / files[row])
        return made

    def _pairs(self, style: str) -> list[Pair]:
        size = self.pipeline.network.config.encoder.image_size
        pairs = []
        for seed in range(_ADAPTATION_SEED, _ADAPTATION_SEED + self.evaluation.pairs):
            camera = unseen_cameras(seed, 2)[1]
            before, after = (
                middle_square(self._true(seed, one, camera), size) for one in (None, style)
            )
            pairs.append(Pair(f"seed{seed}", before, after, camera))
        return pairs

    def _true(self, seed: int, style: str | None, camera: Camera) -> Tensor:
        return self.heads.views(seed, style, camera, self.size).image
