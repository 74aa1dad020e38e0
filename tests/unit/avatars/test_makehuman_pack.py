"""The head asset pack is built exactly, and broken sources are explained."""

from __future__ import annotations

import numpy as np
import pytest
from makehuman_checkouts import write_checkouts_of, write_small_checkouts

from triptych.avatars.assets.makehuman import build_asset_pack
from triptych.avatars.assets.makehuman_formats import read_binding, read_obj, read_target
from triptych.avatars.assets.makehuman_sources import BASE_MESH, TARGETS, fitted_meshes, num_parts
from triptych.avatars.assets.pack import load_assets
from triptych.errors import UserError


@pytest.fixture
def checkouts(tmp_path):
    return write_small_checkouts(tmp_path)


@pytest.fixture
def pack(checkouts, tmp_path) -> dict[str, np.ndarray]:
    build_asset_pack(checkouts, tmp_path / "pack.npz")
    with np.load(tmp_path / "pack.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


class TestSmallPack:
    def test_keys_and_types_are_those_of_the_real_pack(self, pack, makehuman_pack):
        with np.load(makehuman_pack) as real:
            assert set(pack) == set(real.files)
            for name in real.files:
                assert pack[name].dtype.kind == real[name].dtype.kind, name
                assert pack[name].ndim == real[name].ndim, name
                if pack[name].dtype.kind != "U":
                    assert pack[name].dtype == real[name].dtype, name

    def test_only_the_head_and_what_others_hang_on_is_kept(self, pack):
        assert pack["base/faces"].tolist() == [[0, 1, 2, 3]]
        assert pack["base/vertex_ids"].tolist() == [0, 1, 2, 3, *range(12, 20)]
        assert pack["base/vertices"][1].tolist() == [10000, 70000, 10000]
        assert pack["base/helper-r-eye"].tolist() == [16, 17, 18, 19]

    def test_targets_are_cut_to_kept_vertices_and_sorted(self, pack):
        names = pack["targets/names"].tolist()
        assert names == sorted(names)
        assert "univ/female-young-minmuscle-minweight" in names
        assert "univ/female-young-minmuscle-averageweight" not in names  # it moves nothing
        assert "expr/asian/mouth-open" in names
        assert "macro/african-female-young" in names
        assert len(names) == 11 + 3 + 3 + 1
        assert pack["targets/ptr"].tolist() == list(range(len(names) + 1))
        assert set(pack["targets/idx"].tolist()) == {1}
        steps = [pack[f"targets/d{axis}"][0] for axis in "xyz"]
        assert steps == [125, 0, -1]

    def test_bindings_are_rigid_or_weighted(self, pack):
        assert pack["px/hair/bob01/bind_idx"].tolist() == [
            [0, 0, 0],
            [1, 1, 1],
            [0, 1, 2],
            [3, 3, 3],
        ]
        assert pack["px/hair/bob01/bind_w"][2].tolist() == [50000, 25000, 25000]
        assert pack["px/hair/bob01/bind_off"][2].tolist() == [10000, 20000, 30000]
        assert pack["px/hair/bob01/uv"].max() == 20000
        assert pack["px/teeth/scale"].tolist() == [[0, 1, 1.0], [0, 3, 1.0], [0, 12, 0.5]]

    def test_it_loads_as_assets(self, pack, tmp_path):
        assets = load_assets(tmp_path / "pack.npz")
        assert assets.base[2].tolist() == [1.0, 8.0, 1.0]
        fitted = assets.meshes["hair/bob01"].fit(assets.base)
        # axis scales: |x0 - x1| / 1 = 1, |y0 - y3| / 1 = 1, |z0 - z12| / 0.5 = 0.4
        expected = [0.5 + 0.1, 7.25 + 0.2, 1.0 + 0.3 * 0.4]
        np.testing.assert_allclose(fitted[2], expected, atol=1e-9)

    def test_every_part_is_reported(self, checkouts, tmp_path):
        parts: list[str] = []
        summary = build_asset_pack(checkouts, tmp_path / "again.npz", progress=parts.append)
        assert len(parts) == len(set(parts)) == num_parts(checkouts)
        assert (summary.num_vertices, summary.num_targets, summary.num_fitted) == (12, 18, 38)

    def test_the_folders_may_come_in_either_order(self, checkouts, pack, tmp_path):
        build_asset_pack(checkouts[::-1], tmp_path / "turned.npz")
        with np.load(tmp_path / "turned.npz") as turned:
            assert all(np.array_equal(turned[name], pack[name]) for name in pack)


def test_garments_are_cropped_at_the_bust(checkouts, tmp_path):
    shirt = checkouts[1] / fitted_meshes()["cloth/male_casualsuit01"]
    text = "v 0 0 0\n" * 8 + "vt 0 0\n" * 8 + "f 5/5 6/6 7/7 8/8\nf 1/1 2/2 3/3 4/4\n"
    shirt.with_suffix(".obj").write_text(text)
    rows = "\n".join(str(vertex) for vertex in (4, 5, 6, 7, 0, 1, 2, 3))
    scale = "".join(f"{axis}_scale 0 12 1.0\n" for axis in "xyz")
    shirt.with_suffix(".mhclo").write_text(f"{scale}verts 0\n{rows}\n")
    build_asset_pack(checkouts, tmp_path / "pack.npz")
    with np.load(tmp_path / "pack.npz") as pack:
        assert pack["px/cloth/male_casualsuit01/faces"].tolist() == [[0, 1, 2, 3]]
        assert pack["px/cloth/male_casualsuit01/bind_idx"][:, 0].tolist() == [0, 1, 2, 3]
        assert pack["px/cloth/male_casualsuit01/uv"].shape == (4, 2)


@pytest.mark.slow
def test_the_real_pack_is_rebuilt_from_its_own_sources(makehuman_pack, tmp_path):
    with np.load(makehuman_pack) as archive:
        real = {name: archive[name] for name in archive.files}
    checkouts = write_checkouts_of(real, tmp_path)
    summary = build_asset_pack(checkouts, tmp_path / "pack.npz")
    assert (summary.num_vertices, summary.num_targets, summary.num_fitted) == (6816, 534, 38)
    with np.load(tmp_path / "pack.npz") as rebuilt:
        different = [name for name in real if not np.array_equal(rebuilt[name], real[name])]
    assert different == []


class TestFormats:
    def test_triangles_repeat_their_last_corner(self, tmp_path):
        path = tmp_path / "mesh.obj"
        path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\ng part one\nf 1 2 3\n")
        mesh = read_obj(path)
        assert mesh.faces.tolist() == [[0, 1, 2, 2]]
        assert mesh.uv_faces.tolist() == [[0, 0, 0, 0]]
        assert mesh.groups.tolist() == ["part"]
        assert mesh.vertices_of("part").tolist() == [0, 1, 2]

    def test_targets_are_sorted_by_vertex(self, tmp_path):
        path = tmp_path / "a.target"
        path.write_text("# note\n7 .1 0 0\n\n3 0 -.2 0\n")
        indices, offsets = read_target(path)
        assert indices.tolist() == [3, 7]
        assert offsets.tolist() == [[0, -0.2, 0], [0.1, 0, 0]]

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("v 0 0\n", "line 1: got '0 0'; expected 'v x y z'"),
            ("v 0 0 zero\n", "line 1.*expected 'v x y z'"),
            ("v 0 0 nan\n", "line 1.*expected 'v x y z'"),
            ("\n# x\nvt 1\n", "line 3.*expected 'vt u v'"),
            ("v 0 0 0\nf 1 2\n", "line 2.*expected 'f v"),
            ("v 0 0 0\nf a b c\n", "line 2.*expected 'f v"),
            ("v 0 0 0\nf 1 1 2\n", "names vertex 2.*expected 1 to 1"),
            ("v 0 0 0\nf 1 1 0\n", "smallest 0"),
        ],
    )
    def test_malformed_meshes(self, tmp_path, text, complaint):
        path = tmp_path / "bad.obj"
        path.write_text(text)
        with pytest.raises(UserError, match=complaint) as caught:
            read_obj(path)
        assert "bad.obj" in str(caught.value)

    @pytest.mark.parametrize("text", ["1 2 3\n", "1 2 3 4 5\n", "one 0 0 0\n", "1 0 0 x\n"])
    def test_malformed_targets(self, tmp_path, text):
        path = tmp_path / "bad.target"
        path.write_text("0 0 0 0\n" + text)
        with pytest.raises(UserError, match="bad.target, line 2.*index dx dy dz"):
            read_target(path)

    @pytest.mark.parametrize(
        ("rows", "complaint"),
        [
            ("0\n1\n", "got 2 binding rows.*expected 1"),
            ("0 1 2 0.5\n", "line 5.*three indices, three weights and three offsets"),
            ("0 1 2 a b c d e f\n", "line 5"),
        ],
    )
    def test_malformed_bindings(self, tmp_path, rows, complaint):
        path = tmp_path / "bad.mhclo"
        scale = "".join(f"{axis}_scale 0 1 1.0\n" for axis in "xyz")
        path.write_text(f"{scale}verts 0\n{rows}")
        with pytest.raises(UserError, match=complaint):
            read_binding(path, 1)

    def test_bindings_need_every_axis_scale(self, tmp_path):
        path = tmp_path / "bad.mhclo"
        path.write_text("x_scale 0 1 1\nz_scale 0 1 1\nverts 0\n0\n")
        with pytest.raises(UserError, match="no line 'y_scale"):
            read_binding(path, 1)


class TestMissingSources:
    def test_a_missing_folder(self, checkouts, tmp_path):
        with pytest.raises(UserError, match="no folder .*nowhere"):
            build_asset_pack([checkouts[0], tmp_path / "nowhere"], tmp_path / "pack.npz")

    def test_the_same_repository_twice(self, checkouts, tmp_path):
        with pytest.raises(UserError, match="one must be 'makehuman-assets'"):
            build_asset_pack([checkouts[0], checkouts[0]], tmp_path / "pack.npz")
        with pytest.raises(UserError, match="one must be a checkout of 'makehuman'"):
            build_asset_pack([checkouts[1], checkouts[1]], tmp_path / "pack.npz")

    def test_one_folder_only(self, checkouts, tmp_path):
        with pytest.raises(UserError, match="got 1 folders; expected two"):
            build_asset_pack(checkouts[:1], tmp_path / "pack.npz")

    def test_a_missing_folder_of_targets(self, checkouts, tmp_path):
        (checkouts[0] / TARGETS / "nose").rename(tmp_path / "elsewhere")
        with pytest.raises(UserError, match=r"no \*\.target in .*nose"):
            build_asset_pack(checkouts, tmp_path / "pack.npz")

    def test_a_missing_mesh_leaves_no_pack(self, checkouts, tmp_path):
        (checkouts[1] / "base/teeth/teeth_base/teeth_base.mhclo").unlink()
        with pytest.raises(UserError, match="cannot read .*teeth_base.mhclo"):
            build_asset_pack(checkouts, tmp_path / "pack.npz")
        assert list(tmp_path.glob("*.npz")) == []

    def test_another_base_mesh(self, checkouts, tmp_path):
        (checkouts[0] / BASE_MESH).write_text("v 0 0 0\nv 0 0 1\nv 1 0 1\nv 1 0 0\nf 1 2 3 4\n")
        with pytest.raises(UserError, match="the base mesh has 4"):
            build_asset_pack(checkouts, tmp_path / "pack.npz")

    def test_another_kind_of_file(self, checkouts, tmp_path):
        with pytest.raises(UserError, match="ending in .npz"):
            build_asset_pack(checkouts, tmp_path / "pack.zip")
