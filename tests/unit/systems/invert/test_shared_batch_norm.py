"""Normalisation over the batches of all processes."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from triptych.systems.invert.training.shared_batch_norm import (
    SharedBatchNorm2d,
    share_batch_statistics,
)


def test_layers_are_exchanged_in_place_and_answer_alike():
    plain = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm1d(3))
    state = {name: value.clone() for name, value in plain.state_dict().items()}
    x = torch.randn(4, 3, 5, 5)
    expected = plain[1](x)
    plain.load_state_dict(state)
    share_batch_statistics(plain)
    assert type(plain[1]) is SharedBatchNorm2d
    assert type(plain[2]) is nn.BatchNorm1d
    assert plain.state_dict().keys() == state.keys()
    assert torch.equal(plain[1](x), expected)


_TWO_PROCESSES = """
import sys, torch
from torch import nn
from triptych.systems.invert.training.shared_batch_norm import share_batch_statistics

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
generator = torch.Generator().manual_seed(0)
whole = torch.randn(6, 3, 4, 4, generator=generator) * 2 + 1
push = torch.randn(6, 3, 4, 4, generator=generator)


def run(rows):
    network = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.BatchNorm2d(3))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        network[0].bias.copy_(torch.tensor([0.1, 0.0, -0.1]))
    if rows is not None:
        share_batch_statistics(network)
    x = (whole if rows is None else whole[rows]).clone().requires_grad_(True)
    made = network(x)
    (made * (push if rows is None else push[rows])).sum().backward()
    gradients = [p.grad for p in network.parameters()]
    if rows is not None:
        for gradient in gradients:
            torch.distributed.all_reduce(gradient)
    return made.detach(), x.grad, gradients, network.state_dict()


alone, rows = run(None), slice(rank, None, 2)
shared = run(rows)
for a, b in zip(alone[:2], shared[:2]):
    torch.testing.assert_close(a[rows], b, atol=1e-5, rtol=1e-4)
for a, b in zip(alone[2], shared[2]):
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
for name, value in alone[3].items():
    torch.testing.assert_close(value, shared[3][name], atol=1e-5, rtol=1e-4)
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(_TWO_PROCESSES)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, "--master_port", "29617", str(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
