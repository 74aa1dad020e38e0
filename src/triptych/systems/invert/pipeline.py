"""A photo to a 3D portrait: aligned, encoded in a few steps (3DpSp), refined (W+, PTI)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from triptych.arguments import checked
from triptych.camera import Camera
from triptych.config import to_dict
from triptych.errors import check_whole
from triptych.metrics.metric_networks import MetricNetworks, find_metric_networks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.style_strength import FULL_STRENGTH, StyleStrength
from triptych.ops.placement import device_of, move
from triptych.ops.precision import RenderPath, check_network_dtype
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.aligner import Detector, PhotoAligner
from triptych.photos.matting import HeadMatting
from triptych.portrait import TriPlanePortrait
from triptych.portrait.provenance import provenance_of
from triptych.portrait.style_pack import StyledModel, StylePack
from triptych.portrait.worn_style import wearing
from triptych.progress import Progress, no_progress
from triptych.systems.invert.encoder import PspEncoder
from triptych.systems.invert.fast_encoder import fast_encoder
from triptych.systems.invert.loading import DEFAULT_ENCODER, check_encoder, check_fit, load_encoder
from triptych.systems.invert.refinement.camera import refined_camera
from triptych.systems.invert.refinement.refiner import InversionRefiner
from triptych.systems.invert.restyle import FastSynthesis, restyle_steps
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.invert.target import (
    InversionStage,
    InversionTarget,
    stage_of,
    target_of,
    target_of_photo,
    with_codes,
)
from triptych.weights import load_generator

__all__ = ["DEFAULT_ENCODER", "InvertPipeline", "InvertSettings", "Inverted"]

CROP_SIZE = 512
MOST_FACES = 100
ENCODING, CAMERA = "encoding", "refining the camera"


@dataclass(frozen=True, eq=False)
class Inverted:
    """What `InvertPipeline` returns.

    Attributes:
        portrait: The head; its style codes are in it.
        target: The picture at the generator's size, with the camera that was used.
        stages: The result of each stage: the mean head, steps of the encoder, refinements.
        photo: The aligned photo; None when the picture came aligned.
        report: Settings, metric networks, camera, distances and times, as JSON values.
    """

    portrait: TriPlanePortrait
    target: InversionTarget
    stages: tuple[InversionStage, ...]
    photo: AlignedPhoto | None
    report: dict[str, Any]


class InvertPipeline:
    """Finds the style codes, and perhaps weights, with which a generator shows a picture.

    Args:
        generator: The prior; frozen.
        encoder: Trained for that generator.
        networks: Metric networks of the perceptual and the identity term.
        align: Crops a photo and finds its camera.
        matting: Composites pictures on the generator's plain background; None leaves them as they
            are.
        name: Goes into records.
        hashes: Hash of each model's file by name, for records.

    Raises:
        UserError: Encoder and generator do not fit together.
    """

    @checked
    def __init__(
        self,
        generator: TriPlaneGenerator,
        encoder: PspEncoder,
        networks: MetricNetworks,
        align: PhotoAligner,
        *,
        matting: HeadMatting | None = None,
        name: str = "unnamed",
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        check_fit(encoder, generator)
        self.generator = generator.eval().requires_grad_(False)
        self.encoder = encoder.eval().requires_grad_(False)
        self.networks, self.align, self.matting = networks, align, matting
        self._encoder_dtype: torch.dtype | None = None
        self.refiner = InversionRefiner(self.generator, encoder.latent_std, networks)
        self.name, self.hashes = name, dict(hashes or {})

    @classmethod
    @checked
    def from_pretrained(
        cls,
        model: str | Path = "avatar",
        encoder: str | Path = DEFAULT_ENCODER,
        *,
        detector: Detector = "auto",
        hashes: Mapping[str, str] | None = None,
        device: torch.device | str = "cpu",
    ) -> InvertPipeline:
        """Assemble the pipeline from names of `triptych models` or from files.

        Args:
            model: "avatar" for the embedded generator, another one's name, or a file.
            encoder: Encoder of that generator; the embedded one is the embedded generator's.
            detector: What searches for faces.
            hashes: For records.
            device: Where everything computes.

        Raises:
            UserError: A model is missing or broken, or they do not belong together.
        """
        check_encoder(model, encoder)
        generator = load_generator("avatar-generator" if model == "avatar" else model)
        framing = generator.config.photo_framing()
        pipeline = cls(
            generator,
            load_encoder(encoder),
            find_metric_networks(),
            PhotoAligner(framing, detector=detector, size=CROP_SIZE),
            matting=HeadMatting.for_framing(framing, detector) if framing.upright else None,
            name=str(model),
            hashes=hashes,
        )
        return pipeline.to(device)

    @checked
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> InvertPipeline:
        """Let the pipeline compute on a device, and return self; its portraits are there too.

        Args:
            device: Where to.
            dtype: In which the encoder convolves, float32, bfloat16 or float16; None keeps what it
                was: at first bfloat16 where that is fast and nothing shows. The generator and what
                is refined, rendered or compared are float32.

        Raises:
            UserError: The dtype is another one.
        """
        if dtype is not None:
            check_network_dtype(dtype)
            self._encoder_dtype = dtype
        for part in (self.generator, self.encoder, self.networks, self.align, self.matting):
            move(part, device)
        self.refiner.to(device)
        self.__dict__.pop("_fast_encoder", None)  # prepared anew when it is needed
        return self

    @checked
    def __call__(
        self,
        picture: Any,
        *,
        camera: Camera | None = None,
        face: int = 1,
        settings: InvertSettings | None = None,
        progress: Progress | None = None,
    ) -> Inverted:
        """Invert a photo, or a picture that is aligned already.

        Args:
            picture: With a camera: an aligned picture [1, 3, h, h] in [-1, 1]; without: a photo,
                anything that `photos.photo.as_photo` takes.
            camera: The camera of an aligned picture.
            face: Which face of a photo: 1 is the largest.
            settings: Steps and refinement.
            progress: Called with (stage, done, total).

        Raises:
            UserError: The photo shows no usable face, or the picture is of no use.
        """
        size, device = self.generator.config.image_size, device_of(self.generator)
        settings = InvertSettings() if settings is None else settings
        check_whole("face", face, 1, MOST_FACES)
        if camera is not None:
            target = target_of(picture, camera, size).to(device)
            target = self._on_plain_background(target, settings, is_photograph=False)
            return self.invert(target, settings, progress=progress)
        started = time.monotonic()
        photo = self.align(picture, face=face)
        target = target_of_photo(photo, size).to(device)
        target = self._on_plain_background(target, settings, is_photograph=photo.is_photograph)
        seconds = time.monotonic() - started
        found = self.invert(target, settings, progress=progress)
        report = {
            **found.report,
            "seconds": {"align": round(seconds, 2), **found.report["seconds"]},
        }
        return dataclasses.replace(found, photo=photo, report=report)

    @checked
    @torch.no_grad()
    def invert(
        self,
        target: InversionTarget,
        settings: InvertSettings | None = None,
        *,
        progress: Progress | None = None,
    ) -> Inverted:
        """Invert a target; see `__call__`."""
        settings, progress = settings or InvertSettings(), progress or no_progress
        started, target = time.monotonic(), target.to(device_of(self.generator))
        stages = list(self._encode(target, settings, progress))
        found = _step_to_keep(stages, settings)
        turn = 0.0
        if settings.refine_camera:
            refined, stage, angle = self._refine_camera(target, found, settings, progress)
            # A head that is not yet right can turn the camera the wrong way.
            if stage.distances.perceptual < found.distances.perceptual:
                target, turn, found = refined, angle, stage
                stages.append(found)
        kept = found
        stages += self._refine(target, kept, settings, progress)
        found = stages[-1] if settings.refine != "none" else kept
        report: dict[str, Any] = {
            "model": self.name,
            "model_hashes": self.hashes,
            "networks": self.networks.used,
            "settings": to_dict(settings),
            "camera": [round(float(number), 6) for number in target.camera.label25()[0]],
            "camera_turn": round(turn, 4),
            "kept": kept.name,
            "planes": "tuned" if found.name == "pti" else "of the style codes",
            "stages": [stage.record() for stage in stages],
            "seconds": {"inversion": round(time.monotonic() - started, 2)},
        }
        request = {key: report[key] for key in report if key not in ("stages", "seconds")}
        provenance = provenance_of("invert", **request)
        portrait = dataclasses.replace(found.portrait, provenance=provenance)
        return Inverted(portrait, target, tuple(stages), None, report)

    @checked
    def styled(
        self,
        inverted: Inverted,
        style: StylePack,
        model: StyledModel,
        strength: StyleStrength = FULL_STRENGTH,
    ) -> Inverted:
        """Return an inversion whose portrait wears a style; see `portrait.worn_style.wearing`.

        Args:
            inverted: What `__call__` returned.
            style: What it wears.
            model: The generator's name and hash, by which styles belong to it.
            strength: How much of the style.
        """
        portrait = wearing(inverted.portrait, self.generator, style, model, strength)
        worn = {name: portrait.provenance[name] for name in ("style", "strength")}
        report = {**inverted.report, **worn}
        return dataclasses.replace(inverted, portrait=portrait, report=report)

    @cached_property
    def _fast_encoder(self) -> PspEncoder:
        upsamples = self.generator.config.superresolution is not None
        path: RenderPath = "fast" if upsamples else "fast-float32"
        return fast_encoder(self.encoder, path, dtype=self._encoder_dtype)

    def _on_plain_background(
        self, target: InversionTarget, settings: InvertSettings, *, is_photograph: bool
    ) -> InversionTarget:
        if self.matting is None or not settings.plain_background:
            return target
        image = self.matting(target.image, is_photograph=is_photograph)
        return dataclasses.replace(target, image=image)

    def _encode(
        self, target: InversionTarget, settings: InvertSettings, progress: Progress
    ) -> Iterator[InversionStage]:
        """Yield the mean head and each step of the encoder."""
        mean = TriPlanePortrait.from_generator(self.generator, self.encoder.latent_mean[None])
        yield stage_of("mean", mean, target, self.networks, 0.0)
        config = self.encoder.config.restyle
        count = settings.steps or config.num_steps
        synthesis = FastSynthesis(self.generator, config.render_size)
        pred = restyle_steps(
            self._fast_encoder, synthesis, target.image, target.camera, num_steps=count
        )
        for number in range(1, count + 1):
            progress(ENCODING, number - 1, count)
            started = time.monotonic()
            ws = next(pred).ws
            portrait = with_codes(mean, self.generator, ws)
            seconds = time.monotonic() - started
            yield stage_of(f"step {number}", portrait, target, self.networks, seconds)
        progress(ENCODING, count, count)

    def _refine(
        self,
        target: InversionTarget,
        kept: InversionStage,
        settings: InvertSettings,
        progress: Progress,
    ) -> Iterator[InversionStage]:
        """Yield the stages that the settings ask for after the encoder's step that is kept."""
        if settings.refine == "none":
            return
        found, distance = kept, kept.distances.perceptual
        if settings.latent.beyond is not None and distance > settings.latent.beyond:
            found = self.refiner.fit_latent(target, found, settings, progress)
            yield found
        found = self.refiner.refine_codes(
            target, found, settings, progress, encoder_distance=distance
        )
        yield found
        if settings.refine == "pti":
            yield self.refiner.tune(target, found, settings, progress)

    def _refine_camera(
        self,
        target: InversionTarget,
        so_far: InversionStage,
        settings: InvertSettings,
        progress: Progress,
    ) -> tuple[InversionTarget, InversionStage, float]:
        """Turn the camera, and run the encoder again from there."""
        progress(CAMERA, 0, 1)
        started = time.monotonic()
        refined = refined_camera(self.generator, target, so_far.portrait.ws, settings)
        target = dataclasses.replace(target, camera=refined.camera)
        step = _step_to_keep(list(self._encode(target, settings, no_progress)), settings)
        progress(CAMERA, 1, 1)
        seconds = time.monotonic() - started
        return target, dataclasses.replace(step, name="camera", seconds=seconds), refined.turn


def _step_to_keep(stages: list[InversionStage], settings: InvertSettings) -> InversionStage:
    """Return the encoder's step to go on from; the first stage is the mean head."""
    steps = stages[1:]
    if settings.best_step:
        return min(steps, key=lambda stage: stage.distances.perceptual)
    return steps[-1]
