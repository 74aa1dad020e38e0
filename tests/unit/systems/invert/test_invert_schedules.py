"""Schedules of the refinement: ramps and noise worked out by hand, and what a setting does."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_inversion import CAMERA, SETTINGS, head_of, toy_judges
from toy_portraits import tiny_generator as make_generator

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.systems.invert.refinement.codes import (
    CodePrior,
    from_the_mean,
    noise_strength,
    ramp,
    refine_codes,
)
from triptych.systems.invert.refinement.objective import InversionObjective
from triptych.systems.invert.refinement.tuning import tune_generator
from triptych.systems.invert.settings import (
    PUBLISHED_CODES,
    PUBLISHED_TUNING,
    CodeSettings,
    InvertSettings,
    mirrored_weights,
    schedule,
)
from triptych.systems.invert.target import target_of


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        (0.0, 0.0),
        (0.025, 0.5),
        (0.05, 1.0),
        (0.5, 1.0),
        (0.75, 1.0),
        (0.875, 0.5),
        (1.0, 0.0),
    ],
)
def test_the_rate_rises_linearly_and_falls_as_a_cosine(progress, share):
    assert ramp(progress, PUBLISHED_CODES) == pytest.approx(share, abs=1e-9)


def test_without_ramps_the_rate_is_constant():
    flat = CodeSettings(ramp_up=0.0, ramp_down=0.0)
    assert [ramp(progress, flat) for progress in (0.0, 0.5, 0.99)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("progress", "strength"), [(0, 0.05), (0.375, 0.0125), (0.75, 0), (1, 0)])
def test_noise_falls_as_a_square_to_three_quarters(progress, strength):
    assert noise_strength(progress, PUBLISHED_CODES) == pytest.approx(strength)
    assert noise_strength(progress, CodeSettings()) == 0.0


def test_published_numbers():
    assert (PUBLISHED_CODES.steps, PUBLISHED_CODES.learning_rate) == (500, 0.01)
    assert (PUBLISHED_TUNING.steps, PUBLISHED_TUNING.stop_below) == (350, 0.06)
    assert PUBLISHED_TUNING.learning_rate == 3e-4
    assert schedule("published").codes == PUBLISHED_CODES
    assert schedule("short") == InvertSettings()
    assert from_the_mean(CodeSettings(keep=1.0)).noise == 0.05


def test_settings_survive_json_and_mistakes_are_named():
    settings = schedule("published")
    assert from_dict(InvertSettings, to_dict(settings)) == settings
    for broken, said in (
        ({"refine": "best"}, "refine"),
        ({"steps": 0}, "steps: got 0"),
        ({"mirror_weight": -1.0}, "mirror_weight"),
        ({"whole_every": 0}, "whole_every"),
    ):
        with pytest.raises(UserError, match=said):
            from_dict(InvertSettings, {**to_dict(settings), **broken})
    with pytest.raises(UserError, match="expected one of short, published"):
        schedule("long")


def test_the_mirrored_view_counts_by_its_weight():
    weights = mirrored_weights(InvertSettings(mirror_weight=0.5))
    assert (weights.l2, weights.second_l2) == (1.0, 0.5)
    assert (weights.perceptual, weights.second_perceptual) == (0.5, 0.25)


@pytest.fixture(scope="module")
def fitting():
    generator = make_generator()
    target = target_of(head_of(generator), CAMERA, 32)
    z = torch.randn(50, generator.config.z_dim, generator=torch.Generator().manual_seed(4))
    codes = generator.mapping(z)
    return generator, target, codes.mean(dim=0)[None], codes.std(dim=0)


def objective_of(generator, target, *, mirror, weights=SETTINGS.weights):
    return InversionObjective(
        generator,
        target,
        toy_judges(),
        weights,
        views=SETTINGS.views,
        mirror=mirror,
        whole_every=SETTINGS.whole_every,
    )


def refined(fitting, settings, *, shared=False, prior=None):
    generator, target, start, spread = fitting
    return refine_codes(
        objective_of(generator, target, mirror=False),
        start,
        spread,
        settings,
        shared=shared,
        seed=0,
        step_done=lambda done, total: None,
        prior=prior,
    )


def test_layers_alone_move_half_as_far(fitting):
    settings = CodeSettings(steps=1, learning_rate=0.01, ramp_up=0.0, keep=0.0)
    moved = [
        (refined(fitting, dataclasses.replace(settings, together=together)) - fitting[2])
        .abs()
        .div(fitting[3])
        .max()
        for together in (True, False)
    ]
    assert float(moved[0]) == pytest.approx(0.02, rel=0.05)
    assert float(moved[1]) == pytest.approx(0.01, rel=0.05)


def test_codes_move_at_most_by_twice_rate_times_steps_in_their_unit(fitting):
    """Each moves with all others and by itself."""
    _, _, start, spread = fitting
    for unit, length in (("spread", spread), ("one", torch.ones_like(spread))):
        settings = CodeSettings(steps=3, learning_rate=0.01, unit=unit, ramp_up=0.0, keep=0.0)
        moved = (refined(fitting, settings) - start).abs() / length
        assert 0.005 < float(moved.max()) <= 2 * 3 * 0.01 * 1.1


def test_one_code_or_each_layers_own_is_the_beginning(fitting):
    generator, target, start, spread = fitting
    apart = start + spread * torch.linspace(-1, 1, generator.num_ws)[:, None]
    still = CodeSettings(steps=0)
    each = refined(
        (generator, target, apart, spread), dataclasses.replace(still, from_one_code=False)
    )
    assert torch.equal(each, apart)
    one = refined((generator, target, apart, spread), still)
    assert torch.allclose(one, apart.mean(dim=1, keepdim=True).expand_as(one))


def test_what_is_kept_together_moves_together(fitting):
    free = CodeSettings(steps=10, learning_rate=0.05, keep=0.0)
    loose, held = (
        (refined(fitting, dataclasses.replace(free, keep=keep)) - fitting[2]).std(dim=1).norm()
        for keep in (0.0, 100.0)
    )
    assert held < 0.5 * loose


@pytest.mark.parametrize("shared", [True, False])
def test_the_prior_holds_what_layers_share_near_usual_codes(fitting, shared):
    generator, target, start, spread = fitting
    z = torch.randn(500, generator.config.z_dim, generator=torch.Generator().manual_seed(5))
    prior = CodePrior(generator.mapping(z)[:, 0])
    far = (generator, target, start + 4 * spread, spread)
    free = CodeSettings(steps=30, learning_rate=0.1, keep=0.0)
    without, held = (
        float(
            prior(
                refined(far, dataclasses.replace(free, prior=w), shared=shared, prior=prior)
                .detach()
                .mean(dim=1)
            )
        )
        for w in (0.0, 10.0)
    )
    assert held < 0.5 * without


def test_tuning_stops_when_it_is_near_enough(fitting):
    generator, target, start, _ = fitting
    steps: list[int] = []
    for stop, expected in ((1e6, 0), (0.0, 2)):
        tuning = dataclasses.replace(SETTINGS.tuning, steps=2, stop_below=stop)
        settings = dataclasses.replace(SETTINGS, tuning=tuning)
        steps.clear()
        tuned = tune_generator(
            generator,
            target,
            start,
            toy_judges(),
            settings,
            step_done=lambda done, total: steps.append(done),
        )
        assert len(steps) == expected
        same = torch.equal(tuned.planes(start), generator.planes(start))
        assert same == (expected == 0)
        assert all(not weight.requires_grad for weight in tuned.parameters())


def test_uncertainty_weakens_the_mirrored_view(fitting):
    generator, target, start, _ = fitting
    losses = []
    for uncertainty in (None, torch.full((1, 32, 32), 9.0)):
        uncertain = dataclasses.replace(target, uncertainty=uncertainty)
        weights = dataclasses.replace(SETTINGS.weights, second_perceptual=0, second_identity=0)
        objective = objective_of(generator, uncertain, mirror=True, weights=weights)
        with torch.no_grad():
            draws = torch.Generator().manual_seed(0)
            _, terms = objective(generator.planes(start), start, 0, draws)
        losses.append(float(terms["second_l2"]))
    assert losses[1] == pytest.approx(losses[0] / 10, rel=1e-4)


def test_the_loss_depends_on_its_arguments_alone(fitting):
    generator, target, start, _ = fitting
    objective = objective_of(generator, target, mirror=True)
    with torch.no_grad():
        first, again, other = (
            objective.of_codes(start, 1, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
        )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
