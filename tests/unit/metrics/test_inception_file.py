"""FID's network from the user's file: found, read strictly, named for what it is."""

from __future__ import annotations

import pytest
import torch
from narrow_inception import narrow_state, use_narrow_inception, write_narrow_file

from triptych.errors import UserError
from triptych.files import sha256_of
from triptych.metrics.frechet import (
    INCEPTION_FILE,
    INCEPTION_SHA256,
    PublishedInception,
    find_inception,
    inception_of,
)
from triptych.weights.tensor_fit import TensorsDoNotFit

TENSOR = "Mixed_6c.branch7x7_2.bn.running_mean"


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    use_narrow_inception(monkeypatch)


def test_nothing_is_found_where_there_is_no_file(tmp_path):
    assert find_inception(tmp_path) is None
    assert find_inception(tmp_path / "absent") is None


def test_the_file_lies_beside_the_other_judges(tmp_path, monkeypatch):
    file = write_narrow_file(tmp_path / "networks")
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    found = find_inception()
    assert found is not None
    assert found.sha256 == sha256_of(file)
    assert found.network.variant == "fid"
    assert not found.network.training
    assert not any(p.requires_grad for p in found.network.parameters())


def test_classifier_and_auxiliary_head_are_left_out_and_the_rest_is_taken():
    state = narrow_state(seed=1)
    state[TENSOR] = torch.arange(10.0)
    # Old files do not count training steps.
    state = {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    taken = inception_of(state).state_dict()
    assert "fc.weight" not in taken
    for name, tensor in taken.items():
        assert name.endswith("num_batches_tracked") or torch.equal(tensor, state[name])


def test_tensors_that_do_not_fit_are_named():
    state = narrow_state()
    del state[TENSOR]
    state["Conv2d_9.conv.weight"] = torch.zeros(1)
    state["Conv2d_3b_1x1.bn.bias"] = torch.zeros(7)
    with pytest.raises(TensorsDoNotFit) as caught:
        inception_of(state, "my file")
    assert str(caught.value).splitlines() == [
        "the tensors of my file do not fit a published Inception v3:",
        f"  1 missing: {TENSOR}",
        "  1 unexpected: Conv2d_9.conv.weight",
        "  1 misshapen: Conv2d_3b_1x1.bn.bias is [7], not [5]",
    ]


def test_files_of_something_else_are_refused(tmp_path):
    file = tmp_path / INCEPTION_FILE
    torch.save({"network": narrow_state(), "epoch": 3}, file)
    with pytest.raises(UserError, match="something else than named tensors"):
        find_inception(tmp_path)
    file.write_bytes(b"not a weight file")
    with pytest.raises(UserError, match=INCEPTION_FILE):
        find_inception(tmp_path)


def test_reports_say_whether_it_is_the_published_file():
    network = inception_of(narrow_state())
    published = PublishedInception(network, INCEPTION_SHA256).used
    assert published == f"Inception v3 ({INCEPTION_FILE}, SHA-256 6726825d)"
    other = PublishedInception(network, "12345678" * 8).used
    assert "SHA-256 12345678), not the published file" in other
