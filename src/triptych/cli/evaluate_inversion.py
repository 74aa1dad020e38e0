"""`triptych evaluate inversion`: 3DpSp's table, on unseen avatars or on aligned photos."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import triptych
from triptych.cli.options import DeviceName, MaybeInt, MaybeName, MaybePath
from triptych.errors import MissingDependency, UserError, check_range
from triptych.runs import console

if TYPE_CHECKING:
    import torch

    from triptych.metrics.frechet import PublishedInception
    from triptych.systems.invert.evaluation.heads import HeadsToInvert
    from triptych.systems.invert.evaluation.scores import HeadScores
    from triptych.systems.invert.pipeline import InvertPipeline
    from triptych.systems.invert.settings import InvertSettings

_PICTURED = 16


@dataclass(frozen=True)
class Inversion:
    """Invert pictures by every method and compare: mean latent, pSp, each step, refinements.

    Heads that are measured stay in OUT/heads; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for inversion.json, inversion.md, the plot and the sheet."""
    heads: int = 50
    """Number of heads; 2 or more."""
    seed: int = 0
    """Seed of the first avatar; seeds below 10000 are never trained on."""
    photos: MaybePath = None
    """Folder of aligned photos with dataset.json, instead of avatars."""
    model: str = "avatar"
    """Generator: avatar, a name from `triptych models`, or a file."""
    encoder: str = "avatar-psp"
    """3DpSp encoder: a name from `triptych models`, or a file."""
    psp_baseline: MaybeName = None
    """Encoder trained as pSp (one step, no camera), a name or a file. By default the embedded one
    beside the embedded 3DpSp; beside others, they make one step and are told that every picture is
    frontal."""
    steps: MaybeInt = None
    """Steps of the encoder; by default as many as it was trained for."""
    direct_steps: int = 100
    """Steps of the optimisation from the mean; 0 leaves it out."""
    schedule: Literal["short", "published"] = "short"
    """Steps and rates of the refinements; see triptych invert."""
    set: tuple[str, ...] = ()
    """Single settings of the inversion as KEY=VALUE."""
    pack: MaybePath = None
    """Head asset pack; see triptych data makehuman."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; measured heads are kept."""

    def run(self) -> None:
        """Do the work."""
        check_range("--heads", self.heads, 2, 10_000)
        check_range("--direct-steps", self.direct_steps, 0, 100_000)
        settings = self._settings()
        from triptych.metrics.frechet import INCEPTION_FILE, find_inception
        from triptych.runs.device import choose_device
        from triptych.runs.report_file import open_report_folder

        device = choose_device(self.device)
        open_report_folder(self.out, "inversion", overwrite=self.overwrite)
        pipeline, hashes = self._pipeline(device)
        hashes["avatar-features"] = _features_hash()
        inception = find_inception()
        if inception is not None:
            hashes[INCEPTION_FILE] = inception.sha256
            inception.network.to(device)
        heads = self._heads(pipeline)
        scores = self._scores(pipeline, heads, settings, hashes, inception)
        self._publish(scores, settings, hashes, pipeline, inception)

    def _settings(self) -> InvertSettings:
        from triptych.cli.options import changed, parse_key_values
        from triptych.config import from_dict, to_dict
        from triptych.systems.invert.settings import InvertSettings, schedule

        chosen = dataclasses.replace(schedule(self.schedule), steps=self.steps, refine="pti")
        return from_dict(InvertSettings, changed(to_dict(chosen), parse_key_values(self.set)))

    @property
    def baseline(self) -> str | None:
        """Which pSp encoder answers; None for one step of the 3DpSp encoder."""
        from triptych.systems.invert.loading import DEFAULT_BASELINE, DEFAULT_ENCODER

        if self.psp_baseline is None and self.encoder == DEFAULT_ENCODER:
            return DEFAULT_BASELINE
        return self.psp_baseline

    def _pipeline(self, device: torch.device) -> tuple[InvertPipeline, dict[str, str]]:
        from triptych.runs.record import model_record
        from triptych.systems.invert.pipeline import InvertPipeline

        generator = "avatar-generator" if self.model == "avatar" else self.model
        pipeline = InvertPipeline.from_pretrained(self.model, self.encoder, device=device)
        asked: list[tuple[Any, Any]] = [(generator, "generator"), (self.encoder, "encoder")]
        if self.baseline is not None:
            asked.append((self.baseline, "encoder"))
        records = [model_record(name, kind) for name, kind in asked]
        return pipeline, {record["name"]: record["sha256"] for record in records}

    def _heads(self, pipeline: InvertPipeline) -> HeadsToInvert:
        from triptych.systems.invert.evaluation.heads import AlignedPhotos, UnseenAvatars

        if self.photos is not None:
            from triptych.photos.labelled_images import LabelledImages

            size = pipeline.generator.config.image_size
            return AlignedPhotos(LabelledImages(self.photos), size, self.heads)
        from triptych.avatars.sets.true_heads import AvatarHeads

        if pipeline.generator.config.latent_kind != "attributes":
            raise UserError(
                f"avatars are not of the world of the model '{self.model}'; give --photos FOLDER"
            )
        return UnseenAvatars(AvatarHeads(self.pack), pipeline.generator, self.seed, self.heads)

    def _scores(
        self,
        pipeline: InvertPipeline,
        heads: HeadsToInvert,
        settings: InvertSettings,
        hashes: dict[str, str],
        inception: PublishedInception | None,
    ) -> list[HeadScores]:
        """Measure every head, or read what an earlier run measured."""
        from triptych.ops.placement import device_of
        from triptych.systems.invert.evaluation.methods import all_answers
        from triptych.systems.invert.evaluation.scores import HeadScores, score_answers
        from triptych.systems.invert.loading import check_fit, load_encoder
        from triptych.weights import load_features

        device = device_of(pipeline.generator)
        baseline = None if self.baseline is None else load_encoder(self.baseline).to(device)
        if baseline is not None:
            check_fit(baseline, pipeline.generator)
        network = load_features("avatar-features", device)
        plan = _fingerprint(self._plan(settings, hashes, pipeline.networks.used))
        folder = self.out / "heads"
        folder.mkdir(exist_ok=True)
        scores = []
        with console.progress("heads", len(heads.names)) as step:
            for index, name in enumerate(heads.names):
                file = folder / f"{Path(name.replace('/', '__')).stem}.safetensors"
                found = HeadScores.load(file, plan)
                if found is None:
                    head = heads[index].to(device)
                    answers = all_answers(
                        pipeline, baseline, head.target, settings, self.direct_steps, head.latent
                    )
                    pictured = index < _PICTURED
                    found = score_answers(
                        head,
                        answers,
                        pipeline.networks,
                        network,
                        pictured=pictured,
                        inception=None if inception is None else inception.network,
                    )
                    found.save(file, plan)
                scores.append(found)
                step()
        return scores

    def _plan(
        self, settings: InvertSettings, hashes: dict[str, str], networks: dict[str, str]
    ) -> dict[str, Any]:
        """Return all that figures and features of a head depend on."""
        from triptych.config import to_dict

        return {
            "triptych": triptych.__version__,
            "networks": networks,
            "photos": None if self.photos is None else str(self.photos),
            "hashes": hashes,
            "direct_steps": self.direct_steps,
            "settings": to_dict(settings),
        }

    def _publish(
        self,
        scores: list[HeadScores],
        settings: InvertSettings,
        hashes: dict[str, str],
        pipeline: InvertPipeline,
        inception: PublishedInception | None,
    ) -> None:
        from triptych.config import to_dict
        from triptych.ops.placement import device_of
        from triptych.runs.report_file import publish
        from triptych.systems.invert.evaluation.report import (
            figures_by_method,
            inversion_report,
            save_inversion_plot,
        )

        trained = f"{self.baseline}, trained for one step"
        stand_in = "no trained baseline was given: one step of the 3DpSp encoder, camera frontal"
        report = inversion_report(
            scores,
            settings={
                "heads": len(scores),
                "first_seed": self.seed if self.photos is None else None,
                "photos": None if self.photos is None else str(self.photos),
                "direct_steps": self.direct_steps,
                "inversion": to_dict(settings),
            },
            models=hashes,
            networks=pipeline.networks.used,
            baseline=stand_in if self.baseline is None else trained,
            inception=None if inception is None else inception.used,
        )
        try:
            save_inversion_plot(self.out / "inversion-plot.png", figures_by_method(scores))
        except MissingDependency as missing:
            console.warn(f"no plot: {missing}")
        save_inversion_sheet(self.out / "inversion.png", scores)
        publish(report, self.out, device_of(pipeline.generator))


def save_inversion_sheet(path: Path, scores: list[HeadScores]) -> None:
    """Save a row per pictured head: the picture, then what every method made of it."""
    from triptych.export.sheets import save_image_rows

    shown = [(score, score.pictures) for score in scores if score.pictures is not None]
    columns = ("picture", *shown[0][0].rows) if shown else None
    labels = [f"head {score.name}" for score, _ in shown]
    save_image_rows(path, [list(pictures) for _, pictures in shown], labels, columns)


def _fingerprint(plan: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]


def _features_hash() -> str:
    from triptych.runs.record import model_record

    return model_record("avatar-features", "features")["sha256"]
