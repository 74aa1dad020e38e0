"""Where tensors are, and which of them compiled kernels may read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from pretended_device import pretended_device
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField
from triptych.ops.placement import device_of, in_cpu_memory, move


def test_compiled_kernels_read_plain_numbers_on_the_cpu_only():
    assert in_cpu_memory(torch.zeros(2))
    assert in_cpu_memory(nn.Parameter(torch.zeros(2)))
    assert not in_cpu_memory(torch.zeros(2, device="meta"))
    assert not in_cpu_memory(FakeTensorMode().from_tensor(torch.zeros(2)))
    with pretended_device() as device:
        assert not in_cpu_memory(torch.zeros(2).to(device))


def test_a_field_of_fake_tensors_takes_the_plain_path():
    """Planes that learn are read by a kernel, which a fake tensor has no numbers for."""
    decoder = TriPlaneDecoder(4, 3, rng=torch.Generator().manual_seed(0))
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    planes = mode.from_tensor(torch.zeros(1, 3, 4, 8, 8)).requires_grad_()
    points = mode.from_tensor(torch.zeros(1, 5, 3))
    assert TriPlaneField(planes, decoder).query(points).features.shape == (1, 5, 3)


def test_moving_takes_networks_and_what_has_a_method_to():
    asked = []
    movable = SimpleNamespace(to=lambda *where: asked.append(where))
    move(movable, "cpu")
    move(movable, "cpu", torch.bfloat16)
    move(abs, "cpu")
    move(None, "cpu")
    assert asked == [("cpu",), ("cpu", torch.bfloat16)]
    network = nn.Linear(2, 2)
    move(network, "meta")
    assert device_of(network) == torch.device("meta")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_moving_keeps_the_dtype_unless_asked(dtype):
    network = nn.Linear(2, 2).to(dtype)
    move(network, "cpu")
    assert network.weight.dtype == dtype
