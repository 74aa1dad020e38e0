"""The demo, with the embedded models and a real edit."""

from __future__ import annotations

import json
import os

import pytest
import trimesh

from triptych.portrait import Portrait


@pytest.mark.slow
def test_a_bronze_statue_is_made_and_opened_again(run, tmp_path):
    words = ("stylize", "a bronze statue", "--identity", "7", "--quality", "draft", "--out", "b")
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    names = ["mesh.glb", "portrait.safetensors", "run.json", "turntable.mp4", "views", "views.png"]
    assert sorted(os.listdir(tmp_path / "b")) == names
    record = json.loads((tmp_path / "b/run.json").read_text())
    assert record["seconds"]["total"] < 600
    assert record["notes"] == []
    mesh = trimesh.load(tmp_path / "b/mesh.glb", force="mesh", skip_materials=True)
    assert mesh.is_watertight
    assert mesh.body_count == 1

    view = Portrait.load(tmp_path / "b/portrait.safetensors").render()
    solid = view.alpha[0, 0] > 0.9
    red, _, blue = (float(channel[solid].mean()) for channel in view.image[0])
    assert red > blue + 0.1  # bronze is warm

    assert run("render", "b/portrait.safetensors", "--yaw-deg", "25", "--out", "side.png").code == 0
    assert "nothing to do" in run(*words).err
