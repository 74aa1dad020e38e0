"""Published files where the user has them, embedded networks otherwise, and a word about which."""

from __future__ import annotations

import pytest
import torch
from public_lpips import public_files

from triptych.errors import UserError
from triptych.metrics import identity as identity_module
from triptych.metrics.identity import ArcFaceIdentity, AvatarIdentity
from triptych.metrics.lpips import LpipsDistance
from triptych.metrics.metric_networks import ARCFACE_FILE, LPIPS_FILES, find_metric_networks
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.nn.arcface import ArcFace


@pytest.fixture
def narrow_arcface(monkeypatch):
    """ArcFace with few channels, so that a test need not write 175 MB."""

    def build(*, squeeze="mean"):
        return ArcFace((4, 4, 4, 4), (1, 1, 1, 1), features=8, squeeze=squeeze)

    monkeypatch.setattr(identity_module, "ArcFace", build)
    return build


def write_lpips(folder, stack: str) -> None:
    weights, heads = public_files(stack)
    network_name, heads_name = LPIPS_FILES[stack]
    torch.save(weights, folder / network_name)
    torch.save(heads, folder / heads_name)


def test_embedded_judges_when_there_are_no_files(tmp_path):
    networks = find_metric_networks(folder=tmp_path)
    assert isinstance(networks.perceptual, AvatarPerceptualDistance)
    assert isinstance(networks.identity, AvatarIdentity)
    assert networks.used == {
        "perceptual": "avatar-features (trained on avatars)",
        "identity": "avatar-classifier (trained on avatars)",
    }


def test_each_file_is_used_for_itself(tmp_path, narrow_arcface):
    torch.save(narrow_arcface().state_dict(), tmp_path / ARCFACE_FILE)
    networks = find_metric_networks(folder=tmp_path, squeeze="max")
    assert isinstance(networks.perceptual, AvatarPerceptualDistance)
    assert isinstance(networks.identity, ArcFaceIdentity)
    gates = [m for m in networks.identity.network.modules() if hasattr(m, "squeeze")]
    assert {gate.squeeze for gate in gates} == {"max"}
    assert networks.used["identity"] == "ArcFace IR-SE50 (model_ir_se50.pth)"
    embedded = find_metric_networks("embedded", folder=tmp_path)
    assert isinstance(embedded.identity, AvatarIdentity)


def test_published_lpips_and_its_folder(tmp_path, monkeypatch, narrow_arcface):
    folder = tmp_path / "networks"
    folder.mkdir()
    write_lpips(folder, "alexnet")
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    networks = find_metric_networks()
    assert isinstance(networks.perceptual, LpipsDistance)
    assert networks.used["perceptual"].startswith("LPIPS v0.1 over alexnet")
    with pytest.raises(UserError, match="published weights are missing: vgg16-397923af.pth"):
        find_metric_networks("published", stack="vgg16")
    torch.save(narrow_arcface().state_dict(), folder / ARCFACE_FILE)
    published = find_metric_networks("published")
    assert isinstance(published.identity, ArcFaceIdentity)


@pytest.mark.usefixtures("narrow_arcface")
def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / ARCFACE_FILE)
    with pytest.raises(UserError, match="not a weight file of an IR-SE50 ArcFace"):
        find_metric_networks(folder=tmp_path)
