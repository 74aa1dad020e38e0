"""Inception with a sixteenth of its channels, so that a test need not write 95 MB."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from triptych.metrics import frechet as frechet_module
from triptych.metrics.frechet import INCEPTION_FILE
from triptych.nn.inception import InceptionFeatures, InceptionVariant
from triptych.nn.ir_se import initialise_for_rectifiers


def use_narrow_inception(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be read into a network of 128 features."""

    def build(variant):
        return InceptionFeatures(variant, divisor=16)

    monkeypatch.setattr(frechet_module, "InceptionFeatures", build)


@torch.no_grad()
def narrow_network(variant: InceptionVariant = "fid", seed: int = 0) -> InceptionFeatures:
    """Return a random network; the weights of both variants are the same."""
    network = InceptionFeatures(variant, divisor=16)
    rng = torch.Generator().manual_seed(seed)
    initialise_for_rectifiers(network, rng)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # with so few channels, zeros would let signals die
            layer.bias.uniform_(0.0, 0.5, generator=rng)
    return network.eval()


def narrow_state(seed: int = 0) -> dict[str, Tensor]:
    """Return random weights with classifier and auxiliary head, as a public file has them."""
    return {
        **narrow_network(seed=seed).state_dict(),
        "AuxLogits.conv0.conv.weight": torch.zeros(8, 48, 1, 1),
        "fc.weight": torch.zeros(1008, 128),
        "fc.bias": torch.zeros(1008),
    }


def write_narrow_file(folder: Path, seed: int = 0) -> Path:
    """Write the random weights under the public name."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(narrow_state(seed), folder / INCEPTION_FILE)
    return folder / INCEPTION_FILE
