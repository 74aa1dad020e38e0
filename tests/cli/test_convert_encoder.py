"""3DpSp's checkpoint and EG3D's, converted, invert a photo together."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
import torch
from eg3d_pickles import eg3d_pickle, tiny_eg3d
from threedpsp_checkpoints import TINY, checkpoint_of
from toy_inversion import CAMERA

from triptych.export.pictures import colour_picture, save_png
from triptych.portrait import Portrait
from triptych.systems.invert.loading import load_encoder


@pytest.fixture
def checkpoints(run, tmp_path):
    """Files as the two projects publish them, of toy size, and a crop with its camera."""
    generator = tiny_eg3d()
    density = generator.decoder.net[2]
    density.weight[0] *= 100  # a part of the cube becomes dense, so that there is a surface
    density.bias[0] += 50
    fitting = replace(TINY, w_dim=generator.config.w_dim, heads=(2, 2, generator.num_ws - 4))
    torch.save(checkpoint_of(fitting), tmp_path / "3DpSp.pt")
    (tmp_path / "faces.pkl").write_bytes(eg3d_pickle(generator))
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(9))
    head = generator.synthesis(generator.mapping(z), CAMERA).image.clamp(-1, 1)
    save_png(tmp_path / "head.png", colour_picture(head[0]))
    label = [float(number) for number in CAMERA.label25()[0]]
    (tmp_path / "head.json").write_text(json.dumps({"camera": label, "model": "faces.safetensors"}))
    return fitting


def test_both_checkpoints_are_converted_and_invert_a_photo(
    run, tmp_path, checkpoints, quick_results, monkeypatch
):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    converted = run("convert", "3DpSp.pt", "encoder.safetensors", "--accept-licence")
    assert (converted.code, converted.err) == (0, "")
    for said in (
        "network       state_dict: encoder of 3DpSp, ",
        "style codes   ",
        "steps         5",
        "licence       MIT License of 3DpSp",
    ):
        assert any(line.startswith(said) for line in converted.out.splitlines()), converted.out
    assert load_encoder(tmp_path / "encoder.safetensors").config == checkpoints
    assert run("convert", "faces.pkl", "faces.safetensors", "--accept-licence").code == 0
    models = ("--model", "faces.safetensors", "--encoder", "encoder.safetensors")
    one_step = ("--steps", "1", "--refine", "none")
    inverted = run("invert", "head.png", "--out", "me", *models, *one_step)
    assert inverted.code == 0, inverted.err
    record = json.loads((tmp_path / "me" / "run.json").read_text())
    assert [row["stage"] for row in record["stages"]] == ["mean", "step 1"]
    portrait = Portrait.load(tmp_path / "me" / "portrait.safetensors")
    assert tuple(portrait.ws.shape) == (1, checkpoints.num_ws, checkpoints.w_dim)


def test_without_the_licence_there_is_a_report_and_no_file(run, tmp_path, checkpoints):
    outcome = run("convert", "3DpSp.pt", "encoder.safetensors")
    assert outcome.code == 2
    assert "3DpSp.pt was not converted: it comes under the MIT License" in outcome.complaint
    assert "github.com/KyungWonCho/3DpSp; add --accept-licence" in outcome.complaint
    assert "remark" in outcome.out
    assert not (tmp_path / "encoder.safetensors").exists()


def test_an_option_of_another_system_is_refused(run, tmp_path, checkpoints):
    outcome = run("convert", "3DpSp.pt", "x.safetensors", "--network", "G", "--accept-licence")
    assert outcome.code == 2
    assert "which needs no --network, --settings-of or --plane-axes" in outcome.complaint
