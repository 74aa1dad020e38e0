"""Pictures that the encoder does not come near to begin at a head that the generator makes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_inversion import CAMERA, SETTINGS, toy_judges, toy_pipeline
from toy_portraits import tiny_generator

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.systems.invert.pipeline import InvertPipeline
from triptych.systems.invert.refinement.latent import fit_latent, nearest_head
from triptych.systems.invert.settings import InvertSettings, LatentSettings, schedule
from triptych.systems.invert.target import InversionTarget

LATENT = LatentSettings(heads=6, steps=12, keep=0.0)


@pytest.fixture(scope="module")
def pipeline() -> InvertPipeline:
    return toy_pipeline(tiny_generator())


def target_of_latent(pipeline: InvertPipeline, latent: torch.Tensor) -> InversionTarget:
    generator = pipeline.generator
    with torch.no_grad():
        image = generator.synthesis(generator.mapping(latent), CAMERA).image.clamp(-1, 1)
    return InversionTarget(image, CAMERA)


def test_nearest_codes_come_nearest_first(pipeline):
    known = pipeline.refiner.known_heads
    unit = torch.ones(known.codes.shape[1])
    numbers = known.nearest(known.codes[41], unit, 5).tolist()
    distances = [(known.codes[n] - known.codes[41]).square().sum() for n in numbers]
    assert numbers[0] == 41
    assert distances == sorted(distances)
    assert len(known.nearest(known.codes[0], unit, 10**6)) == len(known.codes)


def test_a_head_of_the_generator_is_found_again_from_codes_that_are_off(pipeline):
    known, told = pipeline.refiner.known_heads, []
    found = nearest_head(
        pipeline.generator,
        known,
        target_of_latent(pipeline, known.latents[41:42]),
        toy_judges(),
        known.codes[41] + 0.1 * known.codes.std(dim=0),
        known.codes.std(dim=0),
        dataclasses.replace(LATENT, heads=30),
        step_done=lambda *said: told.append(said),
    )
    assert torch.equal(found, known.latents[41:42])
    assert told[-1] == (30, 30)


def test_fitting_comes_nearer_and_stays_among_the_heads_there_are(pipeline):
    known = pipeline.refiner.known_heads
    target = target_of_latent(pipeline, known.latents[41:42])

    def fitted(steps: int, **changes: float) -> torch.Tensor:
        return fit_latent(
            known,
            pipeline.refiner.objective(target, SETTINGS),
            known.latents[7:8],
            dataclasses.replace(LATENT, steps=steps, **changes),
            seed=0,
            step_done=lambda *_: None,
        )

    def error(latent: torch.Tensor) -> float:
        return float((target_of_latent(pipeline, latent).image - target.image).square().mean())

    start, near = known.latents[7:8], fitted(40)
    assert torch.equal(fitted(0), start)
    assert error(near) < 0.7 * error(start)
    fast = fitted(12, learning_rate=50.0)
    assert bool((fast <= known.latents.amax(dim=0) + 1e-5).all())
    assert bool((fast >= known.latents.amin(dim=0) - 1e-5).all())
    held = fitted(40, keep=1e3)
    assert (held - start).norm() < 0.2 * (near - start).norm()


@pytest.mark.parametrize(("beyond", "expected"), [(0.0, True), (1e9, False), (None, False)])
def test_only_pictures_left_far_away_are_fitted_so(pipeline, beyond, expected):
    target = target_of_latent(pipeline, pipeline.refiner.known_heads.latents[41:42])
    latent = dataclasses.replace(LATENT, beyond=beyond)
    codes = dataclasses.replace(SETTINGS.codes, steps=LATENT.steps if beyond == 0 else 0)
    settings = dataclasses.replace(SETTINGS, latent=latent, codes=codes)
    told = []
    found = pipeline.invert(target, settings, progress=lambda stage, *_: told.append(stage))
    names = [stage.name for stage in found.stages]
    assert ("latent" in names) == expected
    assert names[-1] == "w+"
    if expected:
        assert names[-2] == "latent"
        begun, ended = found.stages[-2:]
        assert torch.allclose(begun.portrait.ws.mean(dim=1), ended.portrait.ws[:, 0], atol=1e-5)
        assert {"comparing known heads", "fitting the latent"} < set(told)
    only_encoder = dataclasses.replace(settings, refine="none")
    assert pipeline.invert(target, only_encoder).stages[-1].name.startswith("step")


def test_settings_are_checked_and_the_published_schedule_does_without():
    assert schedule("published").latent.beyond is None
    published = schedule("published")
    assert from_dict(InvertSettings, to_dict(published)) == published
    with pytest.raises(UserError, match="LatentSettings.heads"):
        LatentSettings(heads=0)
