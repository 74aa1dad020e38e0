"""One evaluation of inversion: load, invert by every method, measure, write the report.

OUT/heads/NAME.safetensors   what was measured of a head; a stopped evaluation goes on where it was
OUT/inversion.json, .md      the report
OUT/inversion.png            the first pictures beside the results of every method
OUT/inversion-plot.png       figures over seconds, where matplotlib is installed
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import triptych
from triptych.avatars.sets.true_heads import AvatarHeads
from triptych.config import to_dict
from triptych.errors import MissingDependency, UserError
from triptych.metrics.frechet import INCEPTION_FILE, PublishedInception, find_inception
from triptych.ops.placement import device_of
from triptych.photos.labelled_images import LabelledImages
from triptych.progress import Progress, count_steps
from triptych.runs import console
from triptych.runs.record import model_record
from triptych.runs.report_file import Report
from triptych.systems.invert.evaluation import methods
from triptych.systems.invert.evaluation.heads import AlignedPhotos, HeadsToInvert, UnseenAvatars
from triptych.systems.invert.evaluation.report import (
    figures_by_method,
    inversion_report,
    save_inversion_plot,
    save_inversion_sheet,
)
from triptych.systems.invert.evaluation.scores import HeadScores, score_answers
from triptych.systems.invert.loading import (
    baseline_for,
    check_fit,
    load_encoder,
)
from triptych.systems.invert.pipeline import InvertPipeline
from triptych.systems.invert.settings import InvertSettings
from triptych.weights import load_features

FEATURES = "avatar-features"
"""Network of the embedded Frechet distance."""

_PICTURED = 16
_NO_BASELINE = "no trained baseline was given: one step of the 3DpSp encoder, camera frontal"


@dataclass(frozen=True)
class InversionEvaluation:
    """What is inverted, by which models.

    Attributes:
        model: "avatar", a name from the registry, or a file.
        encoder: Name or file of the 3DpSp encoder trained for that model.
        psp_baseline: Name or file of an encoder trained as pSp; None takes the embedded one beside
            the embedded 3DpSp, else one step of the 3DpSp encoder with a frontal camera.
        heads: Number of heads.
        first_seed: Seed of the first avatar.
        photos: Folder of aligned photos with dataset.json, instead of avatars.
        pack: Head asset pack of the avatars.
        direct_steps: Steps of the optimisation from the mean; 0 leaves it out.
        settings: Of the inversion.
    """

    model: str
    encoder: str
    psp_baseline: str | None
    heads: int
    first_seed: int
    photos: Path | None
    pack: Path | None
    direct_steps: int
    settings: InvertSettings

    @property
    def baseline(self) -> str | None:
        """The pSp encoder; None for one step of the 3DpSp encoder."""
        return baseline_for(self.encoder, self.psp_baseline)

    def run(self, out: Path, device: torch.device, progress: Progress) -> Report:
        """Invert and measure all heads, write plot and sheet, and return the report.

        Args:
            out: Folder that exists.
            device: Where everything computes.
            progress: Called with the number of finished heads.

        Raises:
            UserError: A model or a picture is missing, or they do not belong together.
        """
        pipeline, inception = self.load_pipeline(device), find_inception()
        hashes = self.hashes()
        if inception is not None:
            hashes[INCEPTION_FILE] = inception.sha256
            inception.network.to(device)
        scores = self._scores(pipeline, hashes, inception, out / "heads", progress)
        try:
            save_inversion_plot(out / "inversion-plot.png", figures_by_method(scores))
        except MissingDependency as missing:
            console.warn(f"no plot: {missing}")
        save_inversion_sheet(out / "inversion.png", scores)
        trained = f"{self.baseline}, trained for one step"
        return inversion_report(
            scores,
            settings={
                "heads": len(scores),
                "first_seed": self.first_seed if self.photos is None else None,
                "photos": None if self.photos is None else str(self.photos),
                "direct_steps": self.direct_steps,
                "inversion": to_dict(self.settings),
            },
            models=hashes,
            networks=pipeline.networks.used,
            baseline=_NO_BASELINE if self.baseline is None else trained,
            inception=None if inception is None else inception.used,
        )

    def load_pipeline(self, device: torch.device) -> InvertPipeline:
        """Load the models straight to a device."""
        return InvertPipeline.from_pretrained(self.model, self.encoder, device=device)

    def hashes(self) -> dict[str, str]:
        """Return the hash of each model's file by name."""
        generator = "avatar-generator" if self.model == "avatar" else self.model
        records = [model_record(generator, "generator"), model_record(self.encoder, "encoder")]
        if self.baseline is not None:
            records.append(model_record(self.baseline, "encoder"))
        records.append(model_record(FEATURES, "features"))
        return {record["name"]: record["sha256"] for record in records}

    def heads_to_invert(self, pipeline: InvertPipeline) -> HeadsToInvert:
        """Return the avatars or the photos.

        Raises:
            UserError: The model's heads are no avatars, and no photos are given.
        """
        config = pipeline.generator.config
        if self.photos is not None:
            return AlignedPhotos(LabelledImages(self.photos), config.image_size, self.heads)
        if config.latent_kind != "attributes":
            raise UserError(
                f"avatars are not of the world of the model '{self.model}'; give --photos FOLDER"
            )
        avatars = AvatarHeads(self.pack)
        return UnseenAvatars(avatars, pipeline.generator, self.first_seed, self.heads)

    def _scores(
        self,
        pipeline: InvertPipeline,
        hashes: dict[str, str],
        inception: PublishedInception | None,
        folder: Path,
        progress: Progress,
    ) -> list[HeadScores]:
        """Measure every head, or read what an earlier run measured."""
        heads = self.heads_to_invert(pipeline)
        device = device_of(pipeline.generator)
        baseline = None if self.baseline is None else load_encoder(self.baseline).to(device)
        if baseline is not None:
            check_fit(baseline, pipeline.generator)
        features = load_features(FEATURES, device)
        plan = self._fingerprint(hashes, pipeline.networks.used)
        folder.mkdir(exist_ok=True)
        scores = []
        step = count_steps(progress, "heads", len(heads.names))
        for index, name in enumerate(heads.names):
            file = folder / f"{Path(name.replace('/', '__')).stem}.safetensors"
            found = HeadScores.load(file, plan)
            if found is None:
                head = heads[index].to(device)
                answers = methods.all_answers(
                    pipeline, baseline, head.target, self.settings, self.direct_steps, head.latent
                )
                found = score_answers(
                    head,
                    answers,
                    pipeline.networks,
                    features,
                    pictured=index < _PICTURED,
                    inception=None if inception is None else inception.network,
                )
                found.save(file, plan)
            scores.append(found)
            step()
        return scores

    def _fingerprint(self, hashes: dict[str, str], networks: dict[str, str]) -> str:
        """Return a hash of all that the figures and features of a head depend on."""
        plan: dict[str, Any] = {
            "triptych": triptych.__version__,
            "networks": networks,
            "photos": None if self.photos is None else str(self.photos),
            "hashes": hashes,
            "direct_steps": self.direct_steps,
            "settings": to_dict(self.settings),
        }
        return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]
