"""Every pipeline on a device that is not the CPU, and in half precision."""

from __future__ import annotations

import pytest
import torch
from pretended_device import pretended_device

from triptych.errors import UserError


def tensors_of(portrait) -> list[torch.Tensor]:
    camera = portrait.camera
    own = [value for value in vars(portrait).values() if isinstance(value, torch.Tensor)]
    return [*own, camera.cam2world, camera.intrinsics]


@pytest.mark.thorough_if_long
def test_everything_is_made_on_the_device_and_as_on_the_cpu(system, whole):
    with pretended_device() as device:
        portrait = system.call(system.make(device))
        assert {tensor.device for tensor in tensors_of(portrait)} == {device}
        here = portrait.to("cpu")
    assert {tensor.device for tensor in tensors_of(here)} == {torch.device("cpu")}
    difference = here.render().image - whole.portrait.render().image
    assert float(difference.abs().max()) < 0.02


@pytest.mark.thorough_if_long
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_in_the_networks_and_hardly_shows(system, whole, dtype):
    portrait = system.call(system.make("cpu", dtype))
    assert {tensor.dtype for tensor in tensors_of(portrait)} == {torch.float32}
    difference = portrait.render().image - whole.portrait.render().image
    assert bool(difference.isfinite().all())
    assert float(difference.square().mean().sqrt()) < 0.1


def test_other_precision_is_refused(system):
    with pytest.raises(UserError, match="dtype: got torch.float64; expected one of torch.float32"):
        system.make().to("cpu", torch.float64)


def test_a_pipeline_returns_itself(system):
    pipeline = system.make()
    assert pipeline.to("cpu") is pipeline
