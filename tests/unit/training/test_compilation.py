"""Compiled twins of networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.errors import UserError
from triptych.training import compilation


def test_network_itself_when_disabled():
    network = nn.Linear(2, 2)
    assert compilation.compiled(network, enabled=False) is network


def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(compilation.shutil, "which", lambda _: None)
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler"):
        compilation.compiled(nn.Linear(2, 2), enabled=True)


@pytest.mark.slow
def test_twin_computes_the_same_and_shares_parameters():
    network = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 2))
    twin = compilation.compiled(network, enabled=True)
    images = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(twin(images), network(images))
    twin(images).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
