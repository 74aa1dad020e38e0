"""Files of splats, read back as other programs do."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch
import trimesh

from triptych.errors import UserError
from triptych.export.splats.splat_files import save_splats
from triptych.export.splats.splats import Splats

NAMES = (
    "x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3"
)
SPLATS = Splats(
    torch.tensor([[0.1, 0.2, 0.3], [-0.4, 0.5, 0.6]]),
    torch.tensor([[-3.0, -4, -5], [-2, -1, 0]]),
    torch.tensor([[2.0, 0, 0, 0], [0, 3, 0, 4]]),
    torch.tensor([1.0, -2.0]),
    torch.tensor([[0.0, 1, -1], [0.5, 0.25, -0.5]]),
)


def read_glb(content: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the document of a file of float points and its attributes."""
    magic, version, length, text_length, _ = struct.unpack("<4sIII4s", content[:20])
    assert (magic, version, length) == (b"glTF", 2, len(content))
    document = json.loads(content[20 : 20 + text_length])
    binary = content[28 + text_length :]
    columns = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
    found = {}
    for name, place in document["meshes"][0]["primitives"][0]["attributes"].items():
        accessor = document["accessors"][place]
        assert accessor["componentType"] == 5126
        view = document["bufferViews"][accessor["bufferView"]]
        raw = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        found[name] = np.frombuffer(raw, "<f4").reshape(-1, columns[accessor["type"]])
    return document, found


def test_ply_has_the_names_and_forms_of_the_published_trainer(tmp_path):
    save_splats(tmp_path / "a.ply", SPLATS)
    head, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    assert head.splitlines()[:3] == [
        b"ply",
        b"format binary_little_endian 1.0",
        b"element vertex 2",
    ]
    assert [line.split()[2].decode() for line in head.splitlines()[3:]] == NAMES.split()
    rows = np.frombuffer(body, "<f4").reshape(2, 17)
    assert rows[0] == pytest.approx([0.1, 0.2, 0.3, 0, 0, 0, 0, 1, -1, 1, -3, -4, -5, 1, 0, 0, 0])
    assert rows[1, 9] == -2
    assert rows[1, 13:] == pytest.approx([0, 0.6, 0, 0.8])


def test_other_readers_open_the_ply(tmp_path):
    save_splats(tmp_path / "a.ply", SPLATS)
    cloud = trimesh.load(tmp_path / "a.ply")
    assert np.allclose(cloud.vertices, SPLATS.positions)


def test_glb_follows_the_ratified_extension(tmp_path):
    save_splats(tmp_path / "a.glb", SPLATS)
    document, found = read_glb((tmp_path / "a.glb").read_bytes())
    name = "KHR_gaussian_splatting"
    assert document["extensionsUsed"] == [name]
    (primitive,) = document["meshes"][0]["primitives"]
    assert primitive["mode"] == 0
    extension = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    assert primitive["extensions"] == {name: extension}
    assert np.allclose(found["POSITION"], SPLATS.positions)
    assert np.allclose(found[f"{name}:ROTATION"], [[0, 0, 0, 1], [0.6, 0, 0.8, 0]])
    assert np.allclose(found[f"{name}:SCALE"], SPLATS.log_scales.exp())
    assert np.allclose(found[f"{name}:OPACITY"][:, 0], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(2))])
    assert np.allclose(found[f"{name}:SH_DEGREE_0_COEF_0"], SPLATS.coefficients)
    bounds = document["accessors"][primitive["attributes"]["POSITION"]]
    assert bounds["min"] == pytest.approx([-0.4, 0.2, 0.3])
    assert {view["target"] for view in document["bufferViews"]} == {34962}


def test_what_is_no_file_of_splats_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(UserError, match=r"got '.splat'; expected .ply or .glb"):
        save_splats(tmp_path / "a.splat", SPLATS)
    none = Splats(*(value[:0] for value in vars(SPLATS).values()))
    broken = Splats(SPLATS.positions / 0, *list(vars(SPLATS).values())[1:])
    for wrong in (none, broken):
        with pytest.raises(UserError, match="at least one splat and finite numbers"):
            save_splats(tmp_path / "a.ply", wrong)
    assert list(tmp_path.iterdir()) == []
