"""The ways to invert a picture that an evaluation compares, each with its time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.portrait import TriPlanePortrait
from triptych.systems.invert.encoder import PspEncoder
from triptych.systems.invert.pipeline import InvertPipeline
from triptych.systems.invert.refinement.codes import from_the_mean, refine_codes
from triptych.systems.invert.restyle import FastSynthesis, restyle
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.invert.target import InversionTarget

MEAN, PRIOR, BASELINE, DIRECT = "mean latent", "true latent", "pSp", "direct optimisation"
STEPS, REFINED, TUNED = "3DpSp, {} steps", "3DpSp + W+", "3DpSp + W+ + PTI"


@dataclass(frozen=True, eq=False)
class Answer:
    """The result of one method.

    Attributes:
        method: Its name in the table.
        portrait: The head.
        seconds: What it took from the aligned picture on.
    """

    method: str
    portrait: TriPlanePortrait
    seconds: float


def steps_name(count: int) -> str:
    """Return the name of an inversion by so many steps of the encoder."""
    return STEPS.format(count).replace("1 steps", "1 step") if count == 1 else STEPS.format(count)


def all_answers(
    pipeline: InvertPipeline,
    baseline: PspEncoder | None,
    target: InversionTarget,
    settings: InvertSettings,
    direct_steps: int,
    latent: Tensor | None = None,
) -> Iterator[Answer]:
    """Yield what every method makes of a picture.

    Args:
        pipeline: 3DpSp with its generator.
        baseline: A pSp encoder trained for one step; None takes the pipeline's own for one step,
            with a frontal camera.
        target: The picture.
        settings: Refinement; its `refine` is not used.
        direct_steps: Steps of the optimisation from the mean; 0 leaves it out.
        latent: The head's true latent [1, z_dim], where the generator has one: what no inversion
            is expected to beat.
    """
    generator, settings = pipeline.generator, dataclasses.replace(settings, refine="pti")
    if latent is not None:
        with torch.no_grad():
            ws = generator.mapping(latent)
        yield Answer(PRIOR, TriPlanePortrait.from_generator(generator, ws), 0.0)
    yield _one_step(pipeline, baseline or pipeline.encoder, baseline is None, target)
    elapsed = 0.0
    for stage in pipeline.invert(target, settings).stages:
        elapsed += stage.seconds
        if stage.name == "mean":
            yield Answer(MEAN, stage.portrait, 0.0)
        elif stage.name.startswith("step "):
            count = int(stage.name.removeprefix("step "))
            yield Answer(steps_name(count), stage.portrait, elapsed)
        elif stage.name in ("w+", "pti"):
            yield Answer(REFINED if stage.name == "w+" else TUNED, stage.portrait, elapsed)
    if direct_steps:
        yield _directly(pipeline, target, settings, direct_steps)


def _one_step(
    pipeline: InvertPipeline, encoder: PspEncoder, stands_in: bool, target: InversionTarget
) -> Answer:
    generator = pipeline.generator
    camera = target.camera
    if stands_in:
        camera = generator.config.view.camera().to(target.image.device)
    started = time.monotonic()
    synthesis = FastSynthesis(generator, encoder.config.restyle.render_size)
    (step,) = restyle(encoder, synthesis, target.image, camera, num_steps=1)
    portrait = TriPlanePortrait.from_generator(generator, step.ws)
    return Answer(BASELINE, portrait, time.monotonic() - started)


def _directly(
    pipeline: InvertPipeline, target: InversionTarget, settings: InvertSettings, steps: int
) -> Answer:
    """Project the picture into W from the mean head, as before there were encoders."""
    started = time.monotonic()
    codes = dataclasses.replace(from_the_mean(settings.codes), steps=steps)
    ws = refine_codes(
        pipeline.refiner.objective(target, settings),
        pipeline.encoder.latent_mean[None],
        pipeline.encoder.latent_std,
        codes,
        shared=True,
        seed=settings.seed,
        step_done=lambda done, total: None,
    )
    portrait = TriPlanePortrait.from_generator(pipeline.generator, ws)
    return Answer(DIRECT, portrait, time.monotonic() - started)
