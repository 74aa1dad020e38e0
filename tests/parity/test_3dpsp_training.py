"""3DpSp's optimiser and losses equal the reference numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from psp_rule import fill_by_rule
from torch import nn
from torch.nn import functional

from triptych.metrics.identity import ArcFaceIdentity
from triptych.nn.arcface import ArcFace
from triptych.systems.invert.losses import trusted_square_error
from triptych.training.ranger import Ranger


def fixture_file(shared, name: str) -> dict[str, torch.Tensor]:
    with np.load(shared / "fixtures" / "3dpsp_small" / f"{name}.npz") as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file}


@pytest.mark.parametrize("name", ["conv", "linear", "bias"])
def test_ranger(shared, name):
    numbers = fixture_file(shared, "ranger_lr1e-2")
    parameter = nn.Parameter(numbers[f"in/init_{name}"].clone())
    optimiser = Ranger([parameter], lr=1e-2)
    for gradient, expected in zip(
        numbers[f"in/grads_{name}"], numbers[f"out/traj_{name}"], strict=True
    ):
        parameter.grad = gradient.clone()
        optimiser.step()
        torch.testing.assert_close(parameter.detach(), expected, atol=1e-6, rtol=1e-5)


def test_mirrored_l2_with_confidence(shared):
    numbers = fixture_file(shared, "mirror_l2")
    error = trusted_square_error(
        numbers["in/y_hat_mirror"], numbers["in/x_mirror"], numbers["in/conf"]
    )
    assert float(error) == pytest.approx(float(numbers["out/loss_3dpsp"]), abs=1e-6)


@pytest.mark.parametrize(("squeeze", "key"), [("max", "maxpool_reference"), ("mean", "avgpool")])
def test_identity_with_the_gate_of_3dpsp_and_of_arcface(shared, squeeze, key):
    numbers = fixture_file(shared, "id_loss")
    network = ArcFace(squeeze=squeeze).eval().requires_grad_(False)
    fill_by_rule(network, int(numbers["meta/recipe_base"]))
    identity = ArcFaceIdentity(network)
    size = (512, 512)
    first = functional.interpolate(numbers["in/small_a"], size, mode="bilinear").clamp(-1, 1)
    change = functional.interpolate(numbers["in/small_b"], size, mode="bilinear")
    second = (first + 0.3 * change).clamp(-1, 1)
    crop = identity.crop(first)[0, :, ::16, ::16]
    torch.testing.assert_close(crop, numbers["out/crop_slice"], atol=1e-5, rtol=0)
    found = [identity.embed(image) for image in (first, second)]
    for feature, letter in zip(found, "ab", strict=True):
        expected = numbers[f"out/emb_{letter}_{key}"]
        torch.testing.assert_close(feature, expected, atol=2e-4, rtol=0)
    loss = 1 - torch.sum(found[0] * found[1], dim=1).mean()
    assert float(loss) == pytest.approx(float(numbers[f"out/loss_{key}"]), abs=2e-4)
