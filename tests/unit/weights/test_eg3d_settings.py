"""Settings out of a file: every value is checked, whatever stands in its place."""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from eg3d_pickles import (
    CORRECTED_PLANES,
    LEGACY_PLANES,
    discriminator_arguments,
    generator_arguments,
    tiny_discriminator,
    tiny_eg3d,
    tiny_eg3d_config,
)

from triptych.errors import UserError
from triptych.models.eg3d import OFFICIAL_CONFIGS, TriPlaneGenerator
from triptych.nn.discriminator import DualDiscriminator
from triptych.ops.sample_planes import AXES
from triptych.weights.eg3d_settings import (
    discriminator_config,
    generator_config,
    plane_axes_of,
)
from triptych.weights.file_settings import Settings, arguments_by_name
from triptych.weights.tensor_fit import shapes_of
from triptych.weights.untrusted.inert import GlobalName, InertObject, LongText

CONFIG = tiny_eg3d_config()
SHAPES = {name: tuple(t.shape) for name, t in tiny_eg3d().state_dict().items()}


def recovered(arguments, shapes=SHAPES, **options):
    given = {"render_size": 12, "plane_axes": "legacy", **options}
    return generator_config(arguments, None, shapes, **given)


@pytest.mark.parametrize("name", OFFICIAL_CONFIGS)
def test_official_settings_are_recovered(name):
    config = OFFICIAL_CONFIGS[name]()
    shapes = shapes_of(lambda: TriPlaneGenerator(config))
    found = recovered(generator_arguments(config), shapes, render_size=config.render_size)
    assert found.config == config
    assert found.remarks == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clamp_mode": "relu"}, "not activated by softplus"),
        ({"superresolution_module": "training.superresolution.SuperresolutionHybridDeepfp32"},
         "'SuperresolutionHybridDeepfp32'; known are SuperresolutionHybrid8XDC"),
        ({"superresolution_noise_mode": "loud"}, "noise is 'loud'; known: none, const, random"),
        ({"ray_start": "auto"}, "both be numbers or both be 'auto'"),
        ({"ray_start": 9.0}, "ray limits are out of order"),
        ({"ray_end": math.nan}, "have nan for 'ray_end'; expected a number"),
        ({"ray_end": None}, "rendering options lack 'ray_end'"),
        ({"depth_resolution": -1}, "have -1 for 'depth_resolution'; expected a whole number"),
        ({"depth_resolution": 10**30}, "have a huge number for 'depth_resolution'"),
        ({"depth_resolution": "48"}, "have '48' for 'depth_resolution'"),
        ({"box_warp": 0}, "have 0.0 for 'box_warp'; expected a number above 0"),
        ({"box_warp": 1e300}, "for 'box_warp'; expected a number"),
        ({"white_back": "yes"}, "have 'yes' for 'white_back'; expected true or false"),
        ({"avg_camera_pivot": [0, 0]}, "have a list for 'avg_camera_pivot'; expected 3 numbers"),
        ({"avg_camera_pivot": [0, 0, "x"]}, r"have 'x' for 'avg_camera_pivot\[2\]'"),
    ],
)  # fmt: skip
def test_renderer_options_that_are_not_known(change, said):
    arguments = generator_arguments(CONFIG)
    arguments["rendering_kwargs"].update(change)
    with pytest.raises(UserError, match=said):
        recovered(arguments)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"img_channels": 4}, "do not have 3 channels"),
        ({"c_dim": 7}, "label_dim must be 0 or 25"),
        ({"w_dim": 0}, "have 0 for 'w_dim'; expected a whole number from 1"),
        ({"img_resolution": 500}, "image_size does not fit: got 500; expected 128"),
        ({"architecture": "resnet"}, "not of the 'skip' architecture"),
        ({"mapping_kwargs": {"activation": "relu"}}, "does not use leaky ReLU"),
        ({"mapping_kwargs": {"num_layers": 10**6}}, "for 'num_layers'"),
        ({"mapping_kwargs": 3}, "have 3 for 'mapping_kwargs'; expected a table of settings"),
        ({"channel_max": True}, "have True for 'channel_max'"),
        ({"channel_base": 3}, "have 3 for 'channel_base'"),
        ({"z_dim": None}, "constructor arguments lack 'z_dim'"),
    ],
)
def test_constructor_arguments_that_are_not_known(change, said):
    with pytest.raises(UserError, match=said):
        recovered({**generator_arguments(CONFIG), **change})


def test_what_eg3d_assumes_is_assumed():
    arguments = generator_arguments(CONFIG)
    options = arguments["rendering_kwargs"]
    for key in ("c_scale", "c_gen_conditioning_zero", "superresolution_noise_mode", "sr_antialias"):
        del options[key]
    for key in ("mapping_kwargs", "conv_clamp", "channel_base", "channel_max"):
        del arguments[key]
    config = recovered(arguments).config
    assert config.mapping.label_scale == 0  # a scale that is not given is none
    assert config.mapping.num_layers == 8
    assert config.backbone.conv_clamp == 256
    assert (config.backbone.channel_base, config.backbone.channel_max) == (32768, 512)


def test_what_has_no_effect_or_no_meaning_is_said():
    arguments = generator_arguments(CONFIG)
    arguments["rendering_kwargs"].update(density_noise=0.5, fog=True)
    arguments["colour"] = 3
    assert recovered(arguments).remarks == (
        "density_noise is left out: rendering here is deterministic",
        "constructor arguments that EG3D does not have: colour",
        "rendering options that EG3D does not have: fog",
    )


def test_tensors_tell_the_sizes_that_code_fixes():
    with pytest.raises(UserError, match="lacks the tensor decoder.net.0.weight"):
        recovered(generator_arguments(CONFIG), {**SHAPES, "decoder.net.0.weight": ()})
    wide = {**SHAPES, "superresolution.block1.conv0.weight": (6, 4, 3, 3)}
    assert recovered(generator_arguments(CONFIG), wide).config.superresolution.widths == (4, 6)
    official = {
        **SHAPES,
        "superresolution.block0.conv0.weight": (128, 8, 3, 3),
        "superresolution.block1.conv0.weight": (64, 128, 3, 3),
    }
    assert recovered(generator_arguments(CONFIG), official).config.superresolution.widths is None


def test_plane_axes():
    assert plane_axes_of(LEGACY_PLANES) == "legacy"
    assert plane_axes_of(CORRECTED_PLANES) == "corrected"
    points = np.array([1.0, 2.0, 3.0])
    for name, planes in (("legacy", LEGACY_PLANES), ("corrected", CORRECTED_PLANES)):
        # EG3D multiplies by the inverse and keeps the first two results
        for matrix, pair in zip(planes, AXES[name], strict=True):
            seen = (points @ np.linalg.inv(matrix))[:2]
            assert list(seen) == [points[pair[0]], points[pair[1]]]
    with pytest.raises(UserError, match="sample the coordinates xy xz yz; known are"):
        plane_axes_of([*LEGACY_PLANES[:2], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]])
    for wrong in (np.zeros((3, 3, 3)), np.ones((3, 3, 3)), np.eye(3), np.full((3, 3, 3), np.nan)):
        with pytest.raises(UserError, match="not three choices of coordinates"):
            plane_axes_of(wrong)


def test_arguments_by_name():
    assert arguments_by_name(("a", "b"), (1,), {"c": 3}) == {"a": 1, "c": 3}
    assert arguments_by_name(("a",), None, None) == {}
    for wrong in ((3, None), (None, [1]), ({}, {})):
        with pytest.raises(UserError, match="not written as EG3D writes them"):
            arguments_by_name(("a",), *wrong)


def test_discriminators():
    ours = tiny_discriminator().config
    arguments = discriminator_arguments(ours)
    assert discriminator_config(arguments) == ours
    ungrouped = {**arguments, "epilogue_kwargs": {"mbstd_group_size": None}}
    assert discriminator_config(ungrouped) == replace(ours, group_size=None)
    for change, said in (
        ({"architecture": "orig"}, "not the residual one"),
        ({"img_resolution": 24}, "24 pixels; expected a power of two"),
        ({"img_resolution": 0}, "have 0 for 'img_resolution'"),
    ):
        with pytest.raises(UserError, match=said):
            discriminator_config({**arguments, **change})


def test_values_in_messages_are_harmless():
    settings = Settings("s", {"a": "\x1b[2J" * 50, "b": [[["x"] * 9] * 9] * 9, "c": 10**100})
    for key, said in (("a", r"\\x1b\[2J"), ("b", "a list"), ("c", "a huge number")):
        with pytest.raises(UserError, match=said) as caught:
            settings.number(key) if key != "b" else settings.word(key)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200


WEIRD = (
    *(None, True, False, 0, 1, -1, 3, 4, 64, 10**6, 2**62, -(2**62), 10**40, 0.0, 0.5, 1e-300),
    *(1e300, math.nan, math.inf, "", "auto", "8XDC", "x" * 5000, "\x00", b"b", (), [], {}, set()),
    *([1, 2, 3], [math.nan] * 3, {"num_layers": -1}, {"num_layers": 2.0}, GlobalName("os", "x")),
    *(InertObject(None), LongText(memoryview(b"x"), "utf-8"), np.float64),
)  # fmt: skip


def weird_settings(arguments: dict, rng: np.random.Generator) -> dict:
    """Return constructor arguments with one to three values replaced or left out."""
    changed = copy.deepcopy(arguments)
    for _ in range(rng.integers(1, 4)):
        tables = [changed] + [value for value in changed.values() if type(value) is dict and value]
        table = tables[rng.integers(len(tables))]
        key = list(table)[rng.integers(len(table))]
        if rng.random() < 0.2:
            del table[key]
        else:
            table[key] = WEIRD[rng.integers(len(WEIRD))]
        if not changed:
            break
    return changed


def test_weird_settings_give_a_configuration_that_works_or_a_sentence():
    rng = np.random.default_rng(0)
    arguments, understood = generator_arguments(CONFIG), 0
    for _ in range(500):
        shapes = dict(SHAPES)
        if rng.random() < 0.3:
            name = list(shapes)[rng.integers(len(shapes))]
            sizes = (0, 1, 2**13, 2**40)
            shapes[name] = tuple(sizes[rng.integers(4)] for _ in range(rng.integers(5)))
        with suppress(UserError):
            config = recovered(weird_settings(arguments, rng), shapes).config
            shapes_of(lambda config=config: TriPlaneGenerator(config))
            understood += 1
    assert 50 < understood < 450


def test_weird_discriminators_give_a_configuration_that_works_or_a_sentence():
    rng = np.random.default_rng(1)
    arguments = discriminator_arguments(tiny_discriminator().config)
    for _ in range(500):
        with suppress(UserError):
            config = discriminator_config(weird_settings(arguments, rng))
            shapes_of(lambda config=config: DualDiscriminator(config))
