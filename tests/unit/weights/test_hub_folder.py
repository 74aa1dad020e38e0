"""Folders for the hub: complete, loadable without it, and with a card that it can read."""

from __future__ import annotations

import json

import pytest
import torch
from toy_compose import WITHOUT_DECODER, tiny_region_generator

from triptych.errors import UserError
from triptych.weights import save_module
from triptych.weights.file_header import FileHeader
from triptych.weights.hub_folder import from_pretrained, model_card, save_pretrained
from triptych.weights.loading import load_head_pose


def fields(card: str) -> dict:
    """Return what stands between the first two lines of dashes; JSON is YAML."""
    _, front, _ = card.split("---\n", 2)
    return {
        key: json.loads(value)
        for key, value in (line.split(": ", 1) for line in front.splitlines())
    }


def test_an_embedded_model_goes_out_and_comes_back(tmp_path):
    save_pretrained("avatar-landmarks", tmp_path / "hub")
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {
        *("model.safetensors", "config.json", "README.md")
    }
    again = from_pretrained(tmp_path / "hub")
    true = load_head_pose().state_dict()
    assert all(torch.equal(value, true[name]) for name, value in again.state_dict().items())
    config = json.loads((tmp_path / "hub/config.json").read_text())
    assert (config["kind"], config["class"]) == ("landmarks", "HeadPoseNetwork")
    card = (tmp_path / "hub/README.md").read_text()
    assert fields(card)["license"] == "apache-2.0"
    assert fields(card)["pipeline_tag"] == "keypoint-detection"
    for text in ("32 landmarks and the pose", "**Limits:**", "Not meant for"):
        assert text in card
    assert "avatar-psp" not in card
    with pytest.raises(UserError, match="is not empty"):
        save_pretrained("avatar-landmarks", tmp_path / "hub")


def test_a_network_of_ones_own_is_described_by_its_file(tmp_path):
    save_module(tmp_path / "mine.safetensors", tiny_region_generator(WITHOUT_DECODER), dtype=None)
    save_pretrained(tmp_path / "mine.safetensors", tmp_path / "hub")
    assert type(from_pretrained(tmp_path / "hub")).__name__ == "RegionGenerator"
    card = (tmp_path / "hub/README.md").read_text()
    assert "# mine\n\nA network of the class RegionGenerator" in card
    foreign = FileHeader("PspEncoder", {}, "a: licence\nof others", {"recipe": "r"})
    card = model_card("x", foreign, licence_page="https://example.org")
    assert fields(card)["license_name"] == "a: licence\nof others"
    assert fields(card)["license_link"] == "https://example.org"
    assert '"recipe": "r"' in card


def test_the_editor_goes_out_as_the_folder_that_it_is(tmp_path):
    save_pretrained("avatar-editor", tmp_path / "hub")
    assert (tmp_path / "hub/model_index.json").is_file()
    card = (tmp_path / "hub/README.md").read_text()
    assert fields(card)["pipeline_tag"] == "image-to-image"
    assert "--editor" in card


def test_what_is_no_model_is_said(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        save_pretrained(tmp_path / "absent.safetensors", tmp_path / "hub")
    with pytest.raises(UserError, match="there is no file"):
        save_pretrained("avatar-nothing", tmp_path / "hub")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no model.safetensors"):
        from_pretrained(tmp_path / "empty")
    with pytest.raises(UserError, match="there is no folder .*, nor"):
        from_pretrained("../..x/y/z")
    assert not (tmp_path / "hub").exists()
