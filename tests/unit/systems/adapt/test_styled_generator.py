"""PStyle-3D's generator: what a style changes, how much of it, and the folded form."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_portraits import tiny_config

from triptych.camera import frontal_camera
from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.fast_synthesis import synthesize_planes
from triptych.models.style_strength import StyleStrength
from triptych.models.styled_layers import styled_layers
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.nn.synthesis_layers import ToRGBLayer
from triptych.portrait import TriPlanePortrait
from triptych.systems.adapt.generator import StyledGenerator, StyledGeneratorConfig, style_affine

TOY = tiny_config()
UPSAMPLING = replace(
    TOY,
    image_size=128,
    backbone=replace(TOY.backbone, architecture="skip", resample_filter=(1.0, 3.0, 3.0, 1.0)),
    superresolution=SuperResolutionConfig(kind="2X", widths=(6, 4), conv_clamp=1.5),
)
MODES = [("double", "twice"), ("double", "once"), ("off", "twice"), ("off", "once")]


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def plain():
    rng = torch.Generator().manual_seed(3)
    return TriPlaneGenerator(UPSAMPLING, rng=rng).eval().requires_grad_(False)


def styled(modres="off", rgb_gain="once"):
    config = StyledGeneratorConfig.around(UPSAMPLING, modres=modres, rgb_gain=rgb_gain)
    rng = torch.Generator().manual_seed(4)
    return StyledGenerator(config, rng=rng).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def codes(plain):
    return normal(1, plain.num_ws, 16, seed=1), normal(1, plain.num_ws, 16, seed=2)


def picture(generator, ws, edits=None):
    """Return the planes, and what the super-resolution network makes of some features, as one."""
    features = normal(1, 3, 64, 64, seed=5)
    made = generator.planes(ws, edits=edits), generator.superresolution(features, ws, edits=edits)
    return torch.cat([part.flatten() for part in made])


def test_a_new_style_leaves_every_head_as_it_is(plain, codes):
    """With affine1 at zero and one, any code gives the plain generator's bits."""
    generator, (ws, w_style) = StyledGenerator.around(plain), codes
    edits = generator.edits(w_style)
    assert torch.equal(picture(generator, ws, edits=edits), picture(plain, ws))
    assert torch.equal(picture(generator.folded(w_style), ws), picture(plain, ws))


@pytest.mark.parametrize(("modres", "rgb_gain"), MODES)
def test_strength_zero_is_the_untouched_head(codes, modres, rgb_gain):
    generator, (ws, w_style) = styled(modres, rgb_gain), codes
    untouched = picture(generator, ws)
    nothing = StyleStrength(0.0, 0.0)
    assert torch.equal(picture(generator, ws, edits=generator.edits(w_style, nothing)), untouched)
    assert torch.equal(picture(generator.folded(w_style, nothing), ws), untouched)
    assert not torch.equal(picture(generator, ws, edits=generator.edits(w_style)), untouched)


@pytest.mark.parametrize(("modres", "rgb_gain"), MODES)
@pytest.mark.parametrize("strength", [StyleStrength(), StyleStrength(0.4, 1.7)])
def test_the_folded_generator_is_the_styled_one(codes, modres, rgb_gain, strength):
    """Up to rounding; also by the fast paths of planes and super-resolution."""
    generator, (ws, w_style) = styled(modres, rgb_gain), codes
    edits = generator.edits(w_style, strength)
    planes = generator.planes(ws, edits=edits)
    folded = generator.folded(w_style, strength)
    assert type(folded) is TriPlaneGenerator
    scale = planes.abs().max()
    for made in (folded.planes(ws), synthesize_planes(folded, ws, "fast-float32")):
        assert (made - planes).abs().max() < 2e-5 * scale
    features = normal(1, 3, 64, 64, seed=5)
    wanted = generator.superresolution(features, ws, edits=edits)
    made = folded.superresolution(features, ws)
    assert (made - wanted).abs().max() < 2e-5 * wanted.abs().max()


def test_portraits_of_the_folded_generator_take_the_fast_path(codes):
    """Maps that reach the clamp are doubled behind it."""
    generator, (ws, w_style) = styled("double", "twice"), codes
    portrait = TriPlanePortrait.from_generator(generator.folded(w_style), ws)
    exact = portrait.render(frontal_camera(), path="exact").image
    fast = portrait.render(frontal_camera(), path="fast-float32").image
    assert (exact - fast).abs().max() < 0.02
    assert (exact - fast).abs().mean() < 1e-3


def test_strength_blends_each_factor_with_one(codes):
    generator, w_style = styled(rgb_gain="twice"), codes[1]
    strength = StyleStrength(geometry=0.5, appearance=2.0)
    edits = generator.edits(w_style, strength)
    for place in styled_layers(generator):
        factor = style_affine(place)(w_style[:, place.slot])
        if isinstance(place.layer, ToRGBLayer):
            factor = factor * place.layer.weight_gain
        amount = {"geometry": 0.5, "appearance": 2.0}[place.part]
        wanted = 1 + amount * (factor - 1)
        assert (edits[place.layer].scale - wanted).abs().max() < 1e-6


def test_geometry_is_what_is_coarse(plain):
    parts = {place.name: place.part for place in styled_layers(plain)}
    geometry = {name for name, part in parts.items() if part == "geometry"}
    blocks = {name.split(".")[2] for name in geometry}
    assert blocks == {"b4", "b8", "b16"}
    assert {name.split(".")[0] for name in parts} == {"backbone", "superresolution"}


def test_rows_of_the_code(plain):
    """The ToRGB layer of a block shares the next block's first row; the head takes the last."""
    slots = {
        place.name.removeprefix("backbone.synthesis."): place.slot for place in styled_layers(plain)
    }
    assert [slots[name] for name in ("b4.conv1", "b4.torgb", "b8.conv0")] == [0, 1, 1]
    assert slots["b32.torgb"] == slots["superresolution.block1.torgb"] == plain.num_ws - 1


def test_only_live_residual_blocks_have_weights():
    live, dead = styled("residual"), styled("double")
    names = {
        name.rpartition(".res")[0]
        for name in live.state_dict()
        if ".res" in name and "resample" not in name
    }
    assert len([place for place in styled_layers(live) if place.residual]) == 7 + 4
    assert {"backbone.synthesis.b4", "backbone.synthesis.b32", "superresolution.block1"} <= names
    assert not any(".res0." in name or ".res1." in name for name in dead.state_dict())


def test_a_residual_branch_cannot_be_folded(codes):
    with pytest.raises(UserError, match="no folded form"):
        styled("residual").folded(codes[1])


def test_codes_of_another_shape_are_refused(codes):
    with pytest.raises(UserError, match="style codes have the wrong shape"):
        styled().edits(codes[1][:, :3])
    with pytest.raises(UserError, match="a style is one code"):
        styled().folded(codes[1].expand(2, -1, -1))


def test_strength_has_limits():
    with pytest.raises(UserError, match="appearance"):
        StyleStrength(appearance=2.5)


def test_the_configuration_goes_through_json():
    config = StyledGeneratorConfig.around(UPSAMPLING, modres="double", rgb_gain="twice")
    assert from_dict(StyledGeneratorConfig, to_dict(config)) == config
    assert config.plain() == UPSAMPLING
