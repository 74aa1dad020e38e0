"""A picture of a toy generator's own head goes in; each stage must come nearer to it."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
from toy_inversion import (
    CAMERA,
    SETTINGS,
    SIZE,
    head_of,
    toy_encoder,
    toy_judges,
    toy_pipeline,
)
from toy_portraits import tiny_config, tiny_superresolved_config
from toy_portraits import tiny_generator as make_generator

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.latents import latent_from_seed
from triptych.photos.five_point_crop import CROP
from triptych.render.empty_space import EmptySpace
from triptych.systems.invert import pipeline as invert
from triptych.systems.invert.encoder import PspEncoder
from triptych.systems.invert.pipeline import InvertPipeline
from triptych.systems.invert.refinement import refiner as invert_refiner
from triptych.systems.invert.refinement.camera import RefinedCamera
from triptych.systems.invert.refinement.tuning import tune_generator
from triptych.systems.invert.restyle import FastSynthesis, GeneratorSynthesis, restyle
from triptych.systems.invert.settings import TuningSettings, schedule
from triptych.systems.invert.target import target_of


@pytest.fixture(scope="module")
def generator():
    return make_generator()


@pytest.fixture(scope="module")
def pipeline(generator):
    return toy_pipeline(generator)


@pytest.fixture(scope="module")
def picture(generator):
    return head_of(generator)


@pytest.fixture(scope="module")
def tuned(pipeline, picture):
    told: list[tuple[str, int, int]] = []
    settings = dataclasses.replace(SETTINGS, refine="pti")
    found = pipeline(
        picture, camera=CAMERA, settings=settings, progress=lambda *said: told.append(said)
    )
    return found, told


def test_stages_come_in_order_and_refinement_comes_nearer(tuned):
    found, told = tuned
    names = [stage.name for stage in found.stages]
    assert names == ["mean", "step 1", "step 2", "step 3", "w+", "pti"]
    errors = {stage.name: stage.distances.l2 for stage in found.stages}
    assert errors["w+"] < 0.8 * errors["step 3"]
    assert errors["pti"] < 0.8 * errors["w+"]
    assert {stage for stage, _, _ in told} == {"encoding", "refining codes", "tuning"}
    assert ("tuning", 6, 6) in told


def test_the_report_tells_distances_times_and_judges(tuned):
    found, _ = tuned
    report = json.loads(json.dumps(found.report))
    rows = report["stages"]
    assert [row["stage"] for row in rows] == [stage.name for stage in found.stages]
    last = rows[-1]
    assert last["l2"] == pytest.approx(found.stages[-1].distances.l2, abs=1e-4)
    assert last["psnr"] == pytest.approx(10 * math.log10(4 / last["l2"]), abs=0.5)
    assert all(row["seconds"] >= 0 for row in rows)
    assert report["seconds"]["inversion"] > 0
    assert report["networks"] == {"perceptual": "blocks", "identity": "blocks"}
    assert report["camera"] == pytest.approx(CAMERA.label25()[0].tolist(), abs=1e-5)
    assert report["planes"] == "tuned"


def test_a_tuned_portrait_keeps_its_codes(tuned, generator):
    found, _ = tuned
    portrait = found.portrait
    assert not torch.allclose(generator.planes(portrait.ws), portrait.planes, atol=1e-3)
    codes = found.stages[-2].portrait.ws
    assert torch.equal(portrait.ws, codes)


def test_steps_are_those_of_restyle_on_the_exact_path(pipeline, picture, generator):
    settings = dataclasses.replace(SETTINGS, refine="none", steps=2)
    found = pipeline(picture, camera=CAMERA, settings=settings)
    exact = restyle(
        pipeline.encoder, GeneratorSynthesis(generator, 16), picture, CAMERA, num_steps=2
    )
    for stage, step in zip(found.stages[1:], exact, strict=True):
        assert torch.allclose(stage.portrait.ws, step.ws, atol=2e-3)
    assert torch.allclose(found.portrait.planes, generator.planes(found.portrait.ws), atol=1e-4)
    assert found.report["planes"] == "of the style codes"


def test_one_code_for_all_layers(pipeline, picture):
    found = pipeline(
        picture, camera=CAMERA, settings=dataclasses.replace(SETTINGS, refine="w", steps=1)
    )
    ws = found.portrait.ws
    assert torch.equal(ws, ws[:, :1].expand_as(ws))
    assert found.stages[-1].name == "w"


def test_a_camera_some_degrees_off_is_turned_towards_the_truth(generator, pipeline):
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(9))
    encoder = toy_encoder(generator, num_steps=1)
    encoder.set_latent_statistics(generator.mapping(z)[0], torch.full((generator.num_ws, 16), 1e-6))
    knowing = InvertPipeline(generator, encoder, toy_judges(), pipeline.align)
    truth, start = look_at_camera(0.3, 0.0), look_at_camera(0.2, 0.05)
    picture = head_of(generator, truth)
    views = dataclasses.replace(SETTINGS.views, whole_size=SIZE, coarse=24, fine=12)
    settings = dataclasses.replace(
        SETTINGS, refine="none", refine_camera=True, camera_steps=20, views=views
    )
    found = knowing(picture, camera=start, settings=settings)
    before, after = (
        torch.hypot(camera.yaw - truth.yaw, camera.pitch - truth.pitch)
        for camera in (start, found.target.camera)
    )
    assert after < 0.5 * before
    assert found.stages[-1].name == "camera"
    assert found.stages[-1].distances.l2 < found.stages[-2].distances.l2
    assert found.report["camera_turn"] > 0


def test_a_camera_that_fits_worse_is_not_taken(generator, pipeline, picture, monkeypatch):
    away = RefinedCamera(look_at_camera(1.0, 0.4), before=1.0, after=0.5, turn=0.9)
    monkeypatch.setattr(invert, "refined_camera", lambda *_: away)
    mean = generator.mapping(torch.zeros(1, generator.config.z_dim))[0]
    encoder = toy_encoder(generator, num_steps=1)
    encoder.set_latent_statistics(mean, torch.full((generator.num_ws, 16), 1e-6))
    knowing = InvertPipeline(generator, encoder, toy_judges(), pipeline.align)
    picture = generator.synthesis(mean[None], CAMERA).image.clamp(-1, 1)
    settings = dataclasses.replace(SETTINGS, refine="none", refine_camera=True)
    found = knowing(picture, camera=CAMERA, settings=settings)
    assert found.report["camera_turn"] == 0
    assert torch.equal(found.target.camera.cam2world, CAMERA.cam2world)
    assert all(stage.name != "camera" for stage in found.stages)


@pytest.mark.parametrize("best_step", [True, False])
def test_an_encoder_that_walks_away_is_not_followed(pipeline, picture, monkeypatch, best_step):
    """The third answer is far off: the steps go on from it as published, or from the nearest."""
    steps = invert.restyle_steps

    def walking_away(*arguments, **options):
        pred = list(steps(*arguments, **options))
        pred[-1] = dataclasses.replace(pred[-1], ws=pred[-1].ws + 40)
        return iter(pred)

    monkeypatch.setattr(invert, "restyle_steps", walking_away)
    settings = dataclasses.replace(SETTINGS, steps=3, refine="none", best_step=best_step)
    found = pipeline(picture, camera=CAMERA, settings=settings)
    distances = [stage.distances.perceptual for stage in found.stages[1:]]
    assert distances[2] > min(distances)
    kept = distances.index(min(distances)) if best_step else 2
    assert found.report["kept"] == f"step {kept + 1}"
    assert torch.equal(found.portrait.ws, found.stages[kept + 1].portrait.ws)


@pytest.mark.thorough
def test_generators_that_enlarge_are_inverted_too():
    generator = make_generator(tiny_superresolved_config())
    pipeline = toy_pipeline(generator)
    picture = head_of(generator)
    codes = dataclasses.replace(SETTINGS.codes, steps=3)
    tuning = dataclasses.replace(SETTINGS.tuning, steps=2)
    settings = dataclasses.replace(SETTINGS, steps=1, refine="pti", codes=codes, tuning=tuning)
    found = pipeline(picture, camera=CAMERA, settings=settings)
    assert found.stages[-1].image.shape == picture.shape
    assert found.stages[-1].distances.l2 < found.stages[1].distances.l2
    assert found.portrait.superresolution is not None


def test_fast_synthesis_is_the_exact_one_for_several_views(generator):
    z = torch.randn(2, generator.config.z_dim, generator=torch.Generator().manual_seed(2))
    ws, camera = generator.mapping(z), look_at_camera(torch.tensor([0.1, -0.2]), 0.0)
    for mode in ("const", "random"):
        fast = FastSynthesis(generator, 16)(ws, camera, mode)
        exact = GeneratorSynthesis(generator, 16)(ws, camera, mode)
        assert fast.shape == (2, 3, 16, 16)
        assert float((fast - exact).abs().mean()) < 5e-3


def test_encoder_and_generator_must_fit(generator, pipeline):
    config = dataclasses.replace(pipeline.encoder.config, w_dim=24)
    with pytest.raises(UserError, match=r"style codes of 24, the generator takes \d+ of 16"):
        InvertPipeline(generator, PspEncoder(config), toy_judges(), pipeline.align)


def test_a_target_is_brought_to_the_generators_size_and_mirrored():
    image = torch.zeros(1, 3, CROP, CROP)
    image[..., : CROP // 2] = 1.0
    target = target_of(image, CAMERA, SIZE, torch.ones(SIZE, SIZE))
    assert target.image.shape == (1, 3, SIZE, SIZE)
    assert float(target.image[..., 0].mean()) == 1.0
    assert float(target.mirrored[..., 0].mean()) == 0.0
    assert target.uncertainty.shape == (1, SIZE, SIZE)
    assert tiny_config().image_size == SIZE


@pytest.mark.parametrize(("prior", "held"), [(3.0, True), (0.0, False)])
def test_pictures_unlike_any_head_are_held_near_usual_codes(
    pipeline, picture, monkeypatch, prior, held
):
    given = {}

    def refine(objective, start, spread, settings, **others):
        given.update(weight=settings.prior, prior=others["prior"])
        return start

    monkeypatch.setattr(invert_refiner, "refine_codes", refine)
    codes = dataclasses.replace(SETTINGS.codes, prior=prior)
    settings = dataclasses.replace(SETTINGS, refine="w+", codes=codes)
    found = pipeline(picture, camera=CAMERA, settings=settings)
    (before,) = (s.distances.perceptual for s in found.stages if s.name == found.report["kept"])
    assert given["weight"] == pytest.approx(prior * before**4)
    assert (given["prior"] is not None) == held
    assert found.report["settings"]["codes"]["prior"] == prior


def test_usual_codes_are_those_of_many_seeds(pipeline):
    latents = [latent_from_seed(s, ATTRIBUTE_DIM, "attributes") for s in range(9000, 9300)]
    codes = pipeline.generator.mapping(torch.cat(latents))[:, 0]
    usual = float(pipeline.refiner.code_prior(codes))
    assert 0.7 < usual < 1.3
    assert float(pipeline.refiner.code_prior(codes + 5 * codes.std(dim=0))) > 3 * usual


def test_tuning_keeps_empty_space_empty(picture):
    """A generator of empty air makes matter everywhere for a picture, unless that counts."""
    generator = make_generator()
    generator.decoder.net[2].bias.data[0] -= 7
    with torch.no_grad():
        ws = generator.mapping(torch.zeros(1, generator.config.z_dim))
        grid = generator.occupancy(generator.planes(ws))
    empty = EmptySpace(grid, generator.config.rendering, 0.0)
    assert len(empty.places) > 100
    points = empty.draw(4000, torch.Generator().manual_seed(5))

    def empty_space_loss(weight: float) -> float:
        tuning = TuningSettings(
            steps=8, learning_rate=2e-2, empty_weight=weight, empty_margin=0.0, empty_points=500
        )
        settings = dataclasses.replace(SETTINGS, tuning=tuning)
        target = target_of(picture, CAMERA, SIZE)
        tuned = tune_generator(
            generator, target, ws, toy_judges(), settings, step_done=lambda *_: None
        )
        with torch.no_grad():
            return float(empty.occupied(tuned.field(tuned.planes(ws)), points))

    assert empty_space_loss(10.0) < 0.5 * empty_space_loss(0.0)
    assert schedule("published").tuning.empty_weight == 0
