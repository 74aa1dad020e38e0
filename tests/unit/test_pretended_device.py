"""The pretended device refuses what a GPU refuses, or the device tests would prove nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from pretended_device import Misplaced, OnDevice, pretended_device
from torch import nn
from torch.overrides import _get_current_function_mode_stack
from toy_portraits import tiny_generator, tiny_portrait

from triptych.systems.generate.pipeline import GeneratePipeline


@pytest.fixture
def device():
    with pretended_device() as device:
        yield device


REFUSED = {
    "a sum of both": lambda there, here: there + here,
    "a product of both": lambda there, here: torch.matmul(here, there),
    "both in one": lambda there, here: torch.cat([there, here]),
    "written into it": lambda there, here: there.__setitem__(slice(None), here),
    "indexed from the device": lambda there, here: here[there.long()],
    "read as NumPy": lambda there, here: there.numpy(),
    "a network on the CPU": lambda there, here: nn.Linear(3, 2)(there),
    "drawn on the device": lambda there, here: torch.rand(3, device=there.device),
    "drawn like it": lambda there, here: torch.randn_like(there),
    "drawn into it": lambda there, here: there.normal_(),
}


@pytest.mark.parametrize("act", REFUSED.values(), ids=REFUSED)
def test_what_a_gpu_refuses_is_refused(act, device):
    with pytest.raises(Misplaced):
        act(torch.ones(3, device=device), torch.ones(3))


ALLOWED = {
    "a number": lambda there: there + torch.tensor(1.0),
    "an index": lambda there: there[torch.tensor([0, 2])],
    "a copy": lambda there: there.copy_(torch.zeros(3)),
    "a move": lambda there: torch.zeros(3).to(there),
    "made there": lambda there: torch.arange(3, device=there.device) * there,
    "made like it": lambda there: torch.zeros_like(there) + there.new_ones(3),
    "drawn and moved": lambda there: torch.rand(3).to(there.device) * there,
    "sorted": lambda there: there.sort().values,
}


@pytest.mark.parametrize("act", ALLOWED.values(), ids=ALLOWED)
def test_what_a_gpu_does_stays_on_it(act, device):
    assert act(torch.ones(3, device=device)).device == device


def test_numbers_come_back(device):
    there = torch.ones(3, device=device) * 2
    assert there.tolist() == [2.0, 2.0, 2.0]
    assert there.cpu().device == torch.device("cpu")
    assert there.cpu().numpy().sum() == 6


def test_networks_learn_there(device):
    network = copy.deepcopy(nn.Linear(3, 1).to(device))
    assert all(parameter.device == device for parameter in network.parameters())
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    before = network.weight.detach().cpu()
    network(torch.ones(1, 3, device=device)).sum().backward()
    assert network.weight.grad.device == device
    optimiser.step()
    moved = before - network.weight.detach().cpu()
    torch.testing.assert_close(moved, torch.full((1, 3), 0.1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("part", ["decoder", "backbone.mapping", "backbone.synthesis.b8"])
def test_a_part_left_behind_is_caught(part, device):
    pipeline = GeneratePipeline(tiny_generator()).to(device)
    pipeline.generator.get_submodule(part).to("cpu")
    with pytest.raises(Misplaced, match="a CPU tensor"):
        pipeline(3).render(path="exact")


def test_a_camera_left_behind_is_caught(device):
    from triptych.render.rays import camera_rays
    from triptych.render.renderer import render_rays

    portrait = tiny_portrait().to(device)
    with pytest.raises(Misplaced, match="a CPU tensor"):
        render_rays(portrait.field, camera_rays(portrait.camera.to("cpu"), 16), portrait.rendering)


def test_nothing_is_pretended_afterwards():
    before = len(_get_current_function_mode_stack())
    with pretended_device() as device:
        there = torch.zeros(1, device=device)
    assert len(_get_current_function_mode_stack()) == before
    assert not torch.__future__.get_overwrite_module_params_on_conversion()
    assert isinstance(there, OnDevice)
    assert type(torch.zeros(1) + 1) is torch.Tensor
