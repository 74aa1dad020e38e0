"""PStyle-3D's generator at small size: every stage equals the reference numbers."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from pstyle_numbers import (
    GRADIENTS,
    POINT_COLOURS,
    VALUES,
    VARIANTS,
    SmallPStyle,
    compare_all,
    sampled,
    worst,
)
from reference_numbers import assert_all_compared
from rule_weights import rule, uniform01

from triptych.camera import Camera
from triptych.ops.modulated_conv import modulated_conv2d
from triptych.ops.upfirdn2d import fir_kernel
from triptych.systems.adapt.generator import StyledGenerator

MODULATIONS = {"fused": "weights", "unfused": "activations"}
RENDERED = ("released", "torgb_fixed", "modres_fixed", "both_fixed")
OTHERS = ("loss.", "encoder.", "chain.")
"""Prefixes of what other modules compare."""
SLOW = ("torgb_fixed", "modres_fixed")
"""Each quirk alone removed: checked with the slow tests."""


def with_slow(*variants):
    marked = [pytest.param(name, marks=pytest.mark.slow) for name in variants if name in SLOW]
    return [*(name for name in variants if name not in SLOW), *marked]


@pytest.fixture(scope="module")
def small(shared):
    return SmallPStyle(shared / "fixtures" / "pstyle_small")


@pytest.fixture(scope="module")
def outputs(small):
    return small.outputs


@pytest.fixture(scope="module")
def generators(small):
    return {name: small.generator(name) for name in VARIANTS}


@pytest.fixture(scope="module")
def planes(generators, small):
    """Planes [2, 96, h, w] by variant, each made when it is first asked for."""

    @cache
    def made(variant):
        generator, ws = styled_by(generators, variant), small.inputs["ws"]
        return generator.planes(ws, edits=style_of(generator, small, variant, 2)).flatten(1, 2)

    return made


@pytest.fixture(scope="module")
def camera(small):
    return Camera.from_label25(small.inputs["c_render"])


def style_of(generator: StyledGenerator, small, variant: str, num: int = 1):
    return None if variant == "nostyle" else generator.edits(small.inputs["w_style"][:num])


def styled_by(generators, variant) -> StyledGenerator:
    return generators["released" if variant == "nostyle" else variant]


def test_rule(small):
    for key, expected in small.described["rule_check"].items():
        assert uniform01(key, small.tag, 4).tolist() == expected


def test_parameter_names_and_shapes_are_the_published_ones(generators, small):
    expected = json.loads((small.folder / "generator_shapes.json").read_text())
    state = generators["modres_fixed"].state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == expected
    without = {key for key in expected if ".res" not in key or "resample" in key}
    assert generators["released"].state_dict().keys() == without


def test_mapping(generators, small, outputs):
    generator = generators["released"]
    z = small.inputs["z"]
    ws = generator.mapping(z, small.inputs["c_cond"].expand(len(z), -1))
    assert worst(ws[:, 0], outputs["mapping.ws_z_ccond"]) < VALUES


@pytest.mark.parametrize("fused", list(MODULATIONS))
def test_modulated_convolutions(outputs, fused):
    for case in ("conv0_up2", "conv1", "torgb"):
        name = f"modconv.{case}."
        x, weight = outputs[f"{name}x"], outputs[f"{name}weight"]
        styles = outputs[f"{name}styles"]
        options = {
            "demodulate": case != "torgb",
            "up_kernel": fir_kernel((1, 3, 3, 1)) if case == "conv0_up2" else None,
            "modulation": MODULATIONS[fused],
        }
        noise = outputs.get(f"{name}noise")

        def made(styles, x=x, weight=weight, options=options, noise=noise):
            convolved = modulated_conv2d(x, weight, styles, **options)
            return convolved if noise is None else convolved + noise

        assert worst(made(styles), outputs[f"{name}out_one_{fused}"]) < VALUES
        if case != "torgb":
            both = styles * outputs[f"{name}styles_d"]
            assert worst(made(both), outputs[f"{name}out_two_{fused}"]) < VALUES
            continue
        gain = weight.shape[1] ** -0.5
        raw, second = outputs[f"{name}styles_raw"], outputs[f"{name}styles_d_raw"]
        assert worst(raw * gain, styles) < VALUES
        assert torch.equal(second, outputs[f"{name}styles_d"])
        for quirk, factor in (("released", gain), ("fixed", 1.0)):
            expected = outputs[f"{name}out_two_{fused}_{quirk}"]
            assert worst(made(styles * second * factor), expected) < VALUES


def test_single_layers(generators, small, outputs):
    generator, ws = generators["released"], small.inputs["ws"]
    block = generator.backbone.synthesis.b8
    edits = generator.edits(small.inputs["w_style"])
    for name, layer, row, x in (
        ("conv0", block.conv0, 1, small.inputs["layer_x4"]),
        ("conv1", block.conv1, 2, small.inputs["layer_x8"]),
        ("torgb", block.torgb, 3, small.inputs["layer_x8"]),
    ):
        styled = layer(x, ws[:, row], edits=edits)
        if edits[layer].after is not None:
            styled = styled / 2  # the fixture's layers stand alone, without the block behind them
        assert worst(styled, outputs[f"layer.b8_{name}"]) < VALUES
        plain = f"layer.b8_{name}_nostyle"
        if plain in outputs:
            assert worst(layer(x, ws[:, row]), outputs[plain]) < VALUES


@pytest.mark.parametrize("variant", with_slow("nostyle", *VARIANTS))
def test_planes(planes, outputs, variant):
    made = planes(variant)
    name = f"backbone.{variant}."
    for key in [key for key in outputs if key.startswith(f"{name}planes")]:
        if key.endswith("_mean"):
            found = made.mean(dim=(2, 3))
        elif key.endswith("_std"):
            found = made.std(dim=(2, 3), correction=0)
        else:
            number = int(key.split("planes_n")[1][0])
            found = sampled(made[number : number + 1], key)
        assert worst(found, outputs[key]) < VALUES, key


@pytest.mark.parametrize("variant", ["nostyle", "released", "both_fixed"])
def test_blocks(generators, small, outputs, variant):
    generator = styled_by(generators, variant)
    edits, ws = style_of(generator, small, variant), small.inputs["ws"][:1]
    x = image = None
    made = {}
    network = generator.backbone.synthesis
    for size, (block, codes) in zip(network.sizes, network.blocks_with_codes(ws), strict=True):
        x, image = block(x, image, codes, edits=edits)
        made |= {f"x_b{size}": x, f"img_b{size}": image}
    for kind in ("x_b", "img_b"):
        rest = {name.removeprefix(kind): tensor for name, tensor in made.items() if kind in name}
        compare_all(outputs, f"backbone.{variant}.{kind}", rest)


def test_unfused_planes(generators, small, outputs):
    generator = generators["released"]
    edits = style_of(generator, small, "released")
    made = generator.planes(small.inputs["ws"][:1], edits=edits, modulation="activations")
    name = "planes_n0_stride32_off5"
    found = sampled(made.flatten(1, 2), name)
    assert worst(found, outputs[f"backbone.released_unfused.{name}"]) < VALUES


@pytest.mark.parametrize("variant", with_slow(*RENDERED))
def test_residual_blocks(generators, small, outputs, variant):
    generator, code = generators[variant], small.inputs["w_style"]
    edits = generator.edits(code[:, 3:4].expand(-1, code.shape[1], -1))
    blocks = generator.backbone.synthesis, generator.superresolution
    for name, key, layer in (
        ("b16_res0", "modres_b16_res0", blocks[0].b16.conv0),
        ("sr_block0_res1", "modres_sr_block0_res1", blocks[1].block0.conv1),
    ):
        expected = outputs[f"modres.{variant}.{name}"]
        x = rule(key, tuple(expected.shape), small.tag, -2, 2)
        assert worst(edits[layer].after(x), expected) < VALUES


@pytest.mark.parametrize("variant", with_slow("nostyle", *VARIANTS))
def test_superresolution(generators, small, outputs, variant):
    generator = styled_by(generators, variant)
    edits = style_of(generator, small, variant)
    image = generator.superresolution(small.sr_features(), small.inputs["ws"][:1], edits=edits)
    found = {
        "image_mean": image.mean(dim=(2, 3)),
        "image_std": image.std(dim=(2, 3), correction=0),
    }
    for key in [key for key in outputs if key.startswith(f"sr.{variant}.")]:
        if "stride" in key:
            step = int(key.rpartition("stride")[2])
            made = image[..., 3::step, 5::step]
        else:
            made = found[key.rpartition(".")[2]]
        assert worst(made, outputs[key]) < VALUES, key


@pytest.mark.parametrize("variant", with_slow("nostyle", *RENDERED))
def test_pictures(generators, planes, small, camera, outputs, variant):
    generator = styled_by(generators, variant)
    ws = small.inputs["ws"][:1]
    size = small.described["synthesis"]["neural_rendering_resolution"]
    rendered = generator.render(
        planes(variant)[:1].unflatten(1, (3, -1)),
        ws,
        camera,
        render_size=size,
        edits=style_of(generator, small, variant),
    )
    name = f"synthesis.{variant}."
    assert worst(rendered.image_raw, outputs[f"{name}image_raw"]) < VALUES
    assert worst(rendered.depth, outputs[f"{name}image_depth"]) < VALUES
    (key,) = [key for key in outputs if key.startswith(f"{name}image_stride")]
    step = int(key.rpartition("stride")[2])
    assert worst(rendered.image[..., 3::step, 5::step], outputs[key]) < VALUES


@pytest.mark.parametrize("variant", with_slow(*RENDERED))
def test_points(generators, planes, small, outputs, variant):
    field = generators[variant].field(planes(variant)[:1].unflatten(1, (3, -1)))
    first, second = small.inputs["coordinates"], small.inputs["coordinates_perturbed"]
    sample = field.query(torch.cat([first, second], dim=1))
    sigma = sample.geometry
    name = f"points.{variant}."
    assert worst(sigma, outputs[f"{name}sigma"]) < VALUES
    error = (sample.features[:, ::4] - outputs[f"{name}rgb_every4"]).abs().max()
    assert error < POINT_COLOURS
    before, after = sigma.chunk(2, dim=1)
    assert worst((before - after).abs().mean(), outputs[f"{name}density_l1"]) < VALUES


@pytest.mark.parametrize("variant", ["released", "both_fixed"])
def test_gradients(generators, small, outputs, variant):
    generator = generators[variant]
    ws = small.inputs["ws"][:1].clone().requires_grad_()
    w_style = small.inputs["w_style"][:1].clone().requires_grad_()
    loss = generator.planes(ws, edits=generator.edits(w_style)).square().mean()
    of_ws, of_style = torch.autograd.grad(loss, [ws, w_style])
    name = f"grad.{variant}."
    assert worst(loss.detach(), outputs[f"{name}loss"]) < VALUES
    assert worst(of_ws, outputs[f"{name}ws"]) < GRADIENTS
    assert worst(of_style, outputs[f"{name}w_style"]) < GRADIENTS


def test_every_stored_number_was_used(small, outputs, request):
    unasked = OTHERS
    if not any(item.get_closest_marker("slow") for item in request.session.items):
        unasked += tuple(f"{name.partition('.')[0]}.{slow}." for name in outputs for slow in SLOW)
    outputs.unread -= {name for name in outputs.unread if name.startswith(unasked)}
    small.inputs.unread -= {"sigma", "d_label_fake", "d_label_real"}
    assert_all_compared(outputs, request)
    assert_all_compared(small.inputs, request)
