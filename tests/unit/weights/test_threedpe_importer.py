"""3DPE's and Live3D's checkpoints: sizes off the tensors, dead tensors named and dropped."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from threedpe_checkpoints import (
    NARROW_3DPE,
    NARROW_LT,
    NARROW_NORMAL,
    checkpoint_of,
    network_of,
)

from triptych.errors import UserError
from triptych.systems.edit.network import PortraitEncoder
from triptych.weights import open_checkpoint, read_header, save_converted
from triptych.weights.converted import ConversionOptions
from triptych.weights.loading import load_network
from triptych.weights.tensor_fit import TensorsDoNotFit

NETWORKS = {"3DPE": NARROW_3DPE, "LT": NARROW_LT, "Normal": NARROW_NORMAL}


def converted(folder, content, options=None, **form) -> PortraitEncoder:
    """Save a checkpoint with torch, convert it and load what came of it."""
    torch.save(content, folder / "3dpe.pt", **form)
    described = open_checkpoint(folder / "3dpe.pt", options)
    save_converted(described, folder / "edit.safetensors")
    return load_network(folder / "edit.safetensors", "portrait-encoder")


def refusal(folder, content, options=None) -> UserError:
    torch.save(content, folder / "x.pt")
    with pytest.raises(UserError) as caught:
        open_checkpoint(folder / "x.pt", options)
    return caught.value


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("old_form", [False, True])
def test_all_three_networks(tmp_path, name, old_form):
    expected = network_of(NETWORKS[name])
    content = checkpoint_of(NETWORKS[name])
    found = converted(tmp_path, content, _use_new_zipfile_serialization=not old_form)
    assert found.config == expected.config
    own, kept = found.state_dict(), expected.state_dict()
    assert own.keys() == kept.keys()
    assert all(torch.equal(own[key], tensor) for key, tensor in kept.items())
    header = read_header(tmp_path / "edit.safetensors")
    assert header.class_name == "PortraitEncoder"
    assert "non-commercial" in header.licence
    assert header.provenance["step"] == 90_000
    assert header.provenance["dropped"] == [
        f"encoder.encoder.layer{group}.0.conv1.{what}"
        for group in (3, 4)
        for what in ("weight", "bias")
    ]


def test_the_report_names_what_was_dropped_and_assumed(tmp_path):
    torch.save(checkpoint_of(), tmp_path / "3dpe.pt")
    described = open_checkpoint(tmp_path / "3dpe.pt")
    report = "\n".join(f"{what} {value}" for what, value in described.report)
    assert "3DPE: layout LT, a photo and a reference" in report
    assert "dropped 4 tensors of 8 numbers that are never used: encoder.encoder.layer3" in report
    assert "does not say how rays are sampled" in report
    assert "128 x 128, 48 + 48 samples from 2.25 to 3.3" in report


@pytest.mark.parametrize("key", ["rendering_kwargs", "G_rendering_kwargs", "G_renderinig_kwargs"])
def test_cameras_and_rays_are_the_files_where_it_has_them(tmp_path, key):
    options = {
        "depth_resolution": 20,
        "depth_resolution_importance": 10,
        "ray_start": 2.0,
        "ray_end": 3.0,
        "box_warp": 1.5,
        "avg_camera_radius": 2.5,
        "avg_camera_pivot": [0, 0, 0.1],
        "sr_antialias": False,
        "image_resolution": 512,
    }
    content = checkpoint_of(**{key: options}, neural_rendering_resolution=64)
    rendering = converted(tmp_path, content).config.rendering
    rays = rendering.rendering
    assert (rays.num_coarse, rays.num_fine, rays.ray_start, rays.ray_end) == (20, 10, 2, 3)
    assert (rendering.box_size, rendering.render_size) == (1.5, 64)
    assert (rendering.view.radius, rendering.view.target) == (2.5, (0, 0, 0.1))
    assert not rendering.superresolution.antialias
    for wrong, said in (
        ({"ray_start": "near"}, "'near' for 'ray_start'"),
        ({"box_warp": -1}, "-1"),
    ):
        content[key] = {**options, **wrong}
        assert said in str(refusal(tmp_path, content))


def test_plane_axes_may_be_said_and_nothing_else(tmp_path):
    told = ConversionOptions(plane_axes="corrected")
    found = converted(tmp_path, checkpoint_of(), told)
    assert found.config.rendering.plane_axes == "corrected"
    for wrong in (ConversionOptions(network="D"), ConversionOptions(settings_of="ffhq512-128")):
        assert "which needs no --network" in str(refusal(tmp_path, checkpoint_of(), wrong))


def test_what_does_not_fit_is_one_table(tmp_path):
    content = checkpoint_of()
    table = content["encoder_state_dict"]
    del table["Ref_encoder.proj_tail.weight"]
    table["F_encoder.net.2.bias"] = torch.zeros(2)
    content["renderer_state_dict"]["extra"] = torch.zeros(1)
    error = refusal(tmp_path, content)
    assert isinstance(error, TensorsDoNotFit)
    assert "1 missing: encoder.Ref_encoder.proj_tail.weight" in str(error)
    assert "1 unexpected: renderer.extra" in str(error)
    assert "encoder.F_encoder.net.2.bias is [2], not [4]" in str(error)


@pytest.mark.parametrize(
    ("section", "missing", "said"),
    [
        ("encoder", "F_encoder.patchembed.norm.weight", "the tensor encoder.F_encoder.patchembed"),
        ("encoder", "Ref_encoder.mae_encoder.pos_embed", "the tensor encoder.Ref_encoder.mae"),
        ("renderer", "const", "the tensor renderer.const is missing"),
        ("renderer", "decoder.net.0.weight", "the tensor renderer.decoder.net.0.weight is missing"),
    ],
)
def test_tensors_that_say_the_sizes_must_be_there(tmp_path, section, missing, said):
    content = checkpoint_of()
    del content[f"{section}_state_dict"][missing]
    assert f"the network is not understood: {said}" in str(refusal(tmp_path, content))


@pytest.mark.parametrize("section", ["encoder", "renderer"])
def test_half_a_checkpoint_is_refused(tmp_path, section):
    content = checkpoint_of()
    del content[f"{section}_state_dict"]
    said = "no whole checkpoint of 3DPE: it holds .*expected tensors in|of no known|no checkpoint"
    assert re.search(said, str(refusal(tmp_path, content)))


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("F_encoder.patchembed.norm.weight", (0,), "impossible shape"),
        ("F_encoder.patchembed.norm.weight", (30_000,), "impossible shape"),
        ("F_encoder.patchembed.norm.weight", (18,), "low_width: got 18; expected a multiple of 4"),
        ("Ref_encoder.mae_encoder.pos_embed", (1, 5, 16), "width: got 16; expected a multiple"),
        ("Final_encoder.output_net.9.weight", (1, 4, 3, 3), "TriplaneEncoderConfig.plane_channels"),
        ("EHigh_encoder.net.40.weight", (4, 4, 3, 3), "do not fit"),
    ],
)
def test_sizes_that_no_network_has(tmp_path, name, shape, said):
    content = checkpoint_of()
    content["encoder_state_dict"][name] = torch.zeros(shape)
    assert said in str(refusal(tmp_path, content))


def test_damaged_numbers_are_refused_when_they_are_read(tmp_path):
    content = checkpoint_of(replace(NARROW_LT))
    content["encoder_state_dict"]["decoder.1.bias"].fill_(float("nan"))
    torch.save(content, tmp_path / "x.pt")
    described = open_checkpoint(tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"encoder\.decoder\.1\.bias"):
        described.read_tensors()
    assert not (tmp_path / "edit.safetensors").exists()


def test_a_cut_file_is_refused(tmp_path):
    torch.save(checkpoint_of(), tmp_path / "x.pt")
    whole = (tmp_path / "x.pt").read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut\.pt"):
            open_checkpoint(tmp_path / "cut.pt")


def test_a_file_that_names_foreign_classes_is_refused(tmp_path):
    content = checkpoint_of(extra=ConversionOptions())
    assert "which a file of tensors and settings does not need" in str(refusal(tmp_path, content))
