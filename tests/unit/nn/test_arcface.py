"""ArcFace in miniature: shapes, unit features, public names."""

from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.nn.arcface import ArcFace

NARROW = {"widths": (4, 4, 8, 8), "units": (1, 1, 2, 1), "features": 16}


def test_features_are_unit_vectors():
    network = ArcFace(**NARROW).eval()
    with torch.no_grad():
        features = network(torch.rand(3, 3, 112, 112) * 2 - 1)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    assert features.shape == (3, 16)


def test_names_and_size_are_those_of_the_public_file():
    with torch.device("meta"):
        network = ArcFace()
    names = list(network.state_dict())
    assert names[0] == "input_layer.0.weight"
    assert "output_layer.3.weight" in names
    assert names[-1] == "body.23.res_layer.5.fc2.weight"
    assert sum(p.numel() for p in network.parameters()) == 43_797_696


def test_weights_of_the_public_file_are_taken():
    torch.manual_seed(1)
    first, second = ArcFace(**NARROW).eval(), ArcFace(**NARROW).eval()
    state = first.state_dict()
    # Old files do not count training steps.
    public = {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    second.load_public({**public, "something else": torch.zeros(1)})
    face = torch.rand(1, 3, 112, 112)
    assert torch.equal(first(face), second(face))
    del public["body.2.res_layer.1.weight"]
    with pytest.raises(UserError, match=r"1 of \d+ .*body.2.res_layer.1.weight"):
        second.load_public(public)


def test_the_gate_of_3dpsp_gives_other_features():
    torch.manual_seed(0)
    usual, other = ArcFace(**NARROW).eval(), ArcFace(**NARROW, squeeze="max").eval()
    other.load_state_dict(usual.state_dict())
    face = torch.rand(1, 3, 112, 112)
    assert not torch.allclose(usual(face), other(face), atol=1e-4)
