"""3DpSp's blocks equal the reference numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from triptych.nn.feature_pyramid import merge_levels
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.nn.ir_se import ResidualUnit, SqueezeExcite
from triptych.systems.invert.encoder import StyleHead

ATOL = 1e-5


def load(shared, name: str) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Return weights, inputs and outputs of a file."""
    with np.load(shared / "fixtures" / "3dpsp_small" / f"{name}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file if not key.startswith("meta")}
    parts = ("sd/", "in/", "out/")
    found = [
        {key.removeprefix(part): value for key, value in arrays.items() if key.startswith(part)}
        for part in parts
    ]
    return found[0], found[1], found[2]


def answer(module: nn.Module, weights: dict[str, Tensor], *inputs: Tensor) -> Tensor:
    module.load_state_dict(weights, strict=True)
    with torch.no_grad():
        return module.eval()(*inputs)


@pytest.mark.parametrize(
    ("name", "shape", "squeeze"),
    [
        ("irse_16_16_s2", (16, 16, 2), "max"),
        ("irse_16_32_s2", (16, 32, 2), "max"),
        ("irse_32_32_s1", (32, 32, 1), "max"),
        ("ir_16_32_s2", (16, 32, 2), None),
    ],
)
def test_residual_unit(shared, name, shape, squeeze):
    weights, inputs, outputs = load(shared, name)
    made = answer(ResidualUnit(*shape, squeeze=squeeze), weights, inputs["x"])
    torch.testing.assert_close(made, outputs["y"], atol=ATOL, rtol=0)


@pytest.mark.parametrize(
    ("squeeze", "key"), [("max", "y_maxpool_reference"), ("mean", "y_if_avgpool")]
)
def test_squeeze_of_3dpsp_and_of_everyone_else(shared, squeeze, key):
    weights, inputs, outputs = load(shared, "se_32_r16")
    made = answer(SqueezeExcite(32, squeeze=squeeze), weights, inputs["x"])
    torch.testing.assert_close(made, outputs[key], atol=ATOL, rtol=0)


def test_equalised_linear(shared):
    weights, inputs, outputs = load(shared, "equal_linear_24_16")
    layer = FullyConnectedLayer(24, 16, rng=torch.Generator())
    made = answer(layer, weights, inputs["x"])
    torch.testing.assert_close(made, outputs["y"], atol=ATOL, rtol=0)


@pytest.mark.parametrize(("size", "camera_code"), [(8, 16), (16, 16), (8, 0)])
def test_style_head(shared, size, camera_code):
    name = f"map2style_24_32_sp{size}_{'cam' if camera_code else 'nocam'}"
    weights, inputs, outputs = load(shared, name)
    head = StyleHead(24, 32, size, 32, camera_code=camera_code, rng=torch.Generator())
    made = answer(head, weights, inputs["x"], inputs["camera"])
    torch.testing.assert_close(made, outputs["y"], atol=ATOL, rtol=0)
    if camera_code:
        code = head.linear_camera(inputs["camera"])
        torch.testing.assert_close(code, outputs["camera_code"], atol=ATOL, rtol=0)


def test_pyramid_merge(shared):
    weights, inputs, outputs = load(shared, "fpn_merge_32")
    lateral = nn.Conv2d(16, 32, 1)
    lateral.load_state_dict(weights)
    made = merge_levels(inputs["top"], lateral(inputs["skip"]))
    torch.testing.assert_close(made, outputs["y"], atol=ATOL, rtol=0)
