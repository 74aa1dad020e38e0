"""A damaged or hostile asset pack is refused in one line, or its meshes can be fitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from makehuman_checkouts import write_small_checkouts

from triptych.avatars.assets import pack_reader
from triptych.avatars.assets.makehuman import build_asset_pack
from triptych.avatars.assets.pack import load_assets
from triptych.errors import UserError

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def arrays(tmp_path_factory) -> Arrays:
    """Return the arrays of a small pack; two meshes of its 38 are enough."""
    folder = tmp_path_factory.mktemp("checkouts")
    build_asset_pack(write_small_checkouts(folder), folder / "pack.npz")
    with np.load(folder / "pack.npz") as archive:
        return {
            name: archive[name]
            for name in archive.files
            if name.startswith(("base/", "targets/", "px/teeth/", "px/hair/bob01/"))
        }


@pytest.fixture
def pack(arrays, tmp_path) -> Path:
    np.savez(tmp_path / "pack.npz", **arrays)
    return tmp_path / "pack.npz"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("base/faces", [[0, 1, 2, 19158]], "base/faces: expected whole numbers from 0 to 19157"),
        ("base/faces", [[0.0, 1, 2, 3]], "base/faces: expected whole numbers"),
        ("base/faces", np.zeros(2, complex), "base/faces: expected numbers"),
        ("base/vertex_ids", [-1] * 12, "base/vertex_ids: expected whole numbers from 0"),
        ("base/vertices", [[np.nan] * 3] * 12, "base/vertices: expected numbers"),
        ("base/helper-l-eye", ["a"], "base/helper-l-eye: expected numbers"),
        ("targets/names", [1] * 18, "targets/names: expected names"),
        ("targets/ptr", [0] * 18 + [99], "targets/ptr: expected whole numbers from 0 to 18"),
        ("targets/dx", [0], "same shape"),
        ("px/teeth/scale", [[0, 1, 1.0], [0, 3, 0.0], [0, 12, 1.0]], "a length above 0"),
        ("px/teeth/scale", [[0, 1, np.nan]] * 3, "a length above 0"),
        ("px/teeth/scale", [[0, 99999, 1.0]] * 3, "px/teeth/scale: expected vertices from 0"),
        ("px/teeth/faces", [[0, 1, 2, 77]], "px/teeth/faces: expected whole numbers from 0 to 3"),
        ("px/teeth/uv", [1, 2, 3, 4], "px/teeth/uv: got shape .4,.; expected rows of 2"),
        ("px/teeth/bind_w", [[1, 2, 3]], "bind_w, bind_off: expected a row of each"),
        ("px/teeth/bind_off", [[1e300] * 3] * 4, "px/teeth/bind_off: expected numbers"),
    ],
)
def test_what_is_wrong_is_named(arrays, tmp_path, name, value, complaint):
    np.savez(tmp_path / "bad.npz", **(arrays | {name: np.asarray(value)}))
    with pytest.raises(UserError, match=f"bad.npz is not a head asset pack .*{complaint}"):
        load_assets(tmp_path / "bad.npz")


def test_it_may_not_unpack_to_too_much(pack, monkeypatch):
    monkeypatch.setattr(pack_reader, "_MOST_BYTES", 1000)
    with pytest.raises(UserError, match="unpacks to"):
        load_assets(pack)


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_whatever_is_changed(arrays, pack, tmp_path, count):
    rng, whole, path = np.random.default_rng(3), pack.read_bytes(), tmp_path / "changed.npz"
    refused = 0
    for number in range(count):
        if number % 2:
            _save_changed(arrays, rng, path)
        else:
            path.write_bytes(_damaged(whole, rng))
        try:
            assets = load_assets(path)
        except UserError:
            refused += 1
            continue
        for mesh in assets.meshes.values():
            assert np.isfinite(mesh.fit(assets.base)).all()
            assert mesh.uv[mesh.uv_faces].shape[-1] == 2
        for target in assets.targets.values():
            assert np.isfinite(assets.base[target.vertex_ids] + target.offsets).all()
    assert count / 4 < refused < count


def _damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(whole)
    for place in rng.integers(0, len(changed), rng.integers(1, 9)):
        changed[place] = rng.integers(0, 256)
    return bytes(changed[: rng.integers(1, len(changed))] if rng.random() < 0.3 else changed)


def _save_changed(arrays: Arrays, rng: np.random.Generator, path: Path) -> None:
    name = str(rng.choice(list(arrays)))
    change = _CHANGES[rng.integers(len(_CHANGES))]
    kept = dict(arrays)
    changed = change(kept.pop(name), rng)
    np.savez(path, **(kept if changed is None else kept | {name: changed}))


def _with_one(value: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    def change(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        changed = array.astype(np.float64) if array.dtype.kind != "U" else np.zeros(array.shape)
        if changed.size:
            changed.flat[rng.integers(changed.size)] = value
        return changed

    return change


_CHANGES: tuple[Callable[[np.ndarray, np.random.Generator], np.ndarray | None], ...] = (
    lambda array, rng: None,
    lambda array, rng: array[..., :-1],
    lambda array, rng: array[:0],
    lambda array, rng: array.T,
    lambda array, rng: array[None],
    lambda array, rng: array.astype(str),
    *(_with_one(value) for value in (-1.0, 19157.0, 19158.0, 1e30, np.nan, np.inf)),
)
