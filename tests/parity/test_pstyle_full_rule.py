"""PStyle-3D's networks at full size, with weights made from their names."""

from __future__ import annotations

import re

import pytest
import torch
from pstyle_numbers import VALUES, VARIANTS, SmallPStyle, compare_all, rule_picture, worst
from reference_numbers import ReferenceNumbers, assert_all_compared
from rule_weights import ROOT3, Range, eg3d_range, fill_by_rule, rule

from triptych.models.eg3d import EG3DConfig
from triptych.systems.adapt.generator import StyledGenerator, StyledGeneratorConfig
from triptych.systems.adapt.style_encoder import StyleEncoder, StyleEncoderConfig
from triptych.weights.tensor_fit import unallocated

pytestmark = pytest.mark.slow
RULE_VARIANTS = ("nostyle", "released", "both_fixed", "modres_off_torgb_fixed")


def generator_range(key: str) -> Range | None:
    """Return the range of a tensor by the rule in the README of the reference numbers."""
    if re.search(r"\.res[01]\.conv2?\.0\.weight$", key):
        return -0.3 * ROOT3, 0.3 * ROOT3
    if key.endswith(".style.bias"):
        return -0.3, 0.3
    if key.endswith(".style.weight"):
        return -((3 / 512) ** 0.5), (3 / 512) ** 0.5
    if key.endswith("affine1.bias"):
        return 0.7, 1.3
    return eg3d_range(key)


def encoder_range(key: str, shape: tuple[int, ...]) -> Range | None:
    """Return the range of a tensor of the style encoder by the same rule."""
    if key.endswith("num_batches_tracked"):
        return None
    if key.endswith("running_mean") or key.endswith("bias"):
        return -0.3, 0.3
    if key.endswith("running_var"):
        return 0.5, 1.5
    if len(shape) == 1:
        return 0.4, 1.0
    if len(shape) == 2:
        return -ROOT3, ROOT3
    gain = 1.6 if "styles." in key else 1.0
    spread = gain * (3 / (shape[1] * shape[2] * shape[3])) ** 0.5
    return -spread, spread


@pytest.fixture(scope="module")
def small(shared):
    return SmallPStyle(shared / "fixtures" / "pstyle_small")


@pytest.fixture(scope="module")
def outputs(small):
    return ReferenceNumbers.read(small.folder / "rule" / "rule_outputs.safetensors")


@pytest.fixture(scope="module")
def states(small):
    """All tensors of the generator, with and without residual blocks."""
    generator = StyledGenerator(configured("both_fixed"))
    fill_by_rule(generator, f"{small.tag}/G", generator_range)
    state = generator.state_dict()
    for key, tensor in state.items():
        if key.endswith(".style.bias"):
            tensor[: len(tensor) // 2] += 1
    return state


def configured(variant: str) -> StyledGeneratorConfig:
    return StyledGeneratorConfig.around(EG3DConfig(), **VARIANTS[variant])


@pytest.mark.parametrize("variant", RULE_VARIANTS)
def test_generator(states, small, outputs, variant):
    config = configured("released" if variant == "nostyle" else variant)
    generator = unallocated(lambda: StyledGenerator(config))
    own = {name: states[name] for name in generator.state_dict()}
    generator.load_state_dict(own, assign=True)
    generator.eval().requires_grad_(False)
    ws, w_style = (rule(name, (1, 14, 512), small.tag, -ROOT3, ROOT3) for name in ("ws", "w_style"))
    edits = None if variant == "nostyle" else generator.edits(w_style)
    planes = generator.planes(ws, edits=edits).flatten(1, 2)
    image = generator.superresolution(small.sr_features(), ws, edits=edits)
    name = f"{variant}."
    assert worst(planes[..., 7::32, 9::32], outputs[f"{name}planes_stride32"]) < VALUES
    assert worst(image[..., 3::16, 5::16], outputs[f"{name}sr_image_stride16"]) < VALUES
    for what, made in (("planes", planes), ("sr_image", image)):
        assert worst(made.mean(dim=(2, 3)), outputs[f"{name}{what}_mean"]) < VALUES
        spread = made.std(dim=(2, 3), correction=0)
        assert worst(spread, outputs[f"{name}{what}_std"]) < VALUES


@torch.no_grad()
def test_encoder(small, outputs):
    config = StyleEncoderConfig()
    encoder = unallocated(lambda: StyleEncoder(config))
    state = {}
    for name, tensor in encoder.state_dict().items():
        limits = encoder_range(name, tuple(tensor.shape))
        state[name] = torch.zeros_like(tensor, device="cpu")
        if limits is not None:
            state[name] = rule(f"encoder.{name}", tuple(tensor.shape), f"{small.tag}/E", *limits)
    encoder.load_state_dict(state, assign=True)
    encoder.eval()
    picture = rule_picture("style_image", config.image_size, small.tag)
    x = encoder.input_layer(picture)
    made = {}
    for index, unit in enumerate(encoder.body):
        x = unit(x)
        made[f"body{index}_ch16"] = x[:, ::16]
    taps = {name: made[name] for name in ("body6_ch16", "body20_ch16", "body23_ch16")}
    compare_all(outputs, "encoder.", {**taps, "codes": encoder(picture)})


def test_every_stored_number_was_used(outputs, request):
    assert_all_compared(outputs, request)
