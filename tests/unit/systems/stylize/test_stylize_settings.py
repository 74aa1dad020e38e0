"""Presets and refusals of the stylize settings."""

from __future__ import annotations

import dataclasses

import pytest

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.systems.stylize.settings import StylizeSettings, preset


def test_standard_is_the_papers_grid_and_weights():
    standard = preset("standard")
    assert standard.num_views == 101
    assert standard.betas == (0.0, 0.99)
    assert (standard.rec_weight, standard.density_weight) == (10.0, 0.2)
    assert standard.density_perturbation == "relative"


def test_presets_trade_time_for_quality():
    draft, standard, high = (preset(name) for name in ("draft", "standard", "high"))
    assert draft.num_views < standard.num_views
    assert draft.steps < standard.steps < high.steps


def test_unknown_quality_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="got 'best'; expected one of draft, standard, high"):
        preset("best")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_yaw", 0),
        ("yaw_range", 2.0),
        ("pitch_range", -0.1),
        ("steps", 0),
        ("held_out_fraction", 0.9),
        ("outlier_fraction", 1.0),
        ("learning_rate", 0.0),
        ("empty_weight", -1.0),
        ("empty_points", 0),
        ("strides", ()),
        ("strides", (0,)),
    ],
)
def test_values_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(UserError, match=name):
        dataclasses.replace(StylizeSettings(), **{name: value})


def test_settings_survive_json():
    settings = preset("high")
    assert from_dict(StylizeSettings, to_dict(settings)) == settings


def test_lengths_in_pixels_grow_with_the_rays_of_a_finer_head():
    settings = StylizeSettings()
    assert settings.for_finer_rays(1) is settings
    finer = settings.for_finer_rays(2)
    assert (finer.strides, finer.background_margin) == ((2, 4), 28)
    sized = dataclasses.replace(settings, image_size=64)
    assert sized.for_finer_rays(2) is sized
    unbounded = dataclasses.replace(settings, background_margin=None)
    assert unbounded.for_finer_rays(2).background_margin is None


def test_levels_take_half_the_steps():
    levels = StylizeSettings(steps=61).with_levels()
    assert (levels.use_i2t, levels.steps) == ("levels", 30)
