"""Avatar data sets: EG3D's format, resumable, deterministic, never mixed up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.avatars.sets.dataset import write_avatar_dataset
from triptych.camera import Camera, frontal_camera
from triptych.errors import UserError
from triptych.files import sha256_of

COUNT, VIEWS, SIZE = 2, 2, 24


@pytest.fixture(scope="module")
def dataset(makehuman_pack, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("avatars") / "set"
    write_avatar_dataset(
        folder, COUNT, VIEWS, SIZE, seed=5, styles=["red stone", "bald"], pack=makehuman_pack
    )
    return folder


def _hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def test_layout(dataset):
    pictures = [f"00000/img{index:08d}.png" for index in range(COUNT * VIEWS)]
    expected = {f"{part}/{name}" for part in ("images", "regions") for name in pictures}
    expected |= {"images/dataset.json", "heads.json", "plan.json"}
    assert set(_hashes(dataset)) == expected


def test_labels_are_cameras_on_the_sphere(dataset):
    labels = json.loads((dataset / "images" / "dataset.json").read_text())["labels"]
    assert [name for name, _ in labels] == [f"00000/img{index:08d}.png" for index in range(4)]
    cameras = Camera.from_label25(torch.tensor([numbers for _, numbers in labels]))
    distances = cameras.positions.norm(dim=1)
    torch.testing.assert_close(distances, torch.full((4,), 2.7))
    torch.testing.assert_close(
        cameras.intrinsics, frontal_camera().intrinsics.expand(4, 3, 3).contiguous()
    )
    assert len({tuple(numbers) for _, numbers in labels}) == 4


def test_pictures_and_regions_fit_each_other(dataset):
    for path in sorted((dataset / "images").rglob("*.png")):
        picture = np.array(Image.open(path))
        regions = np.array(Image.open(dataset / "regions" / path.relative_to(dataset / "images")))
        assert picture.shape == (SIZE, SIZE, 3)
        assert regions.shape == (SIZE, SIZE)
        assert regions.max() <= 8
        assert 0.2 < (regions > 0).mean() < 0.9
        assert (picture[0, 0] == 191).all()
        assert np.abs(picture[regions == 1].astype(int) - 191).mean() > 10


def test_heads_say_who_is_where(dataset):
    heads = json.loads((dataset / "heads.json").read_text())
    assert [head["seed"] for head in heads] == [5, 6]
    assert {head["style"] for head in heads} <= {"red stone", "bald"}
    for head in heads:
        for name in head["images"]:
            picture = np.array(Image.open(dataset / "images" / name)).astype(float)
            regions = np.array(Image.open(dataset / "regions" / name))
            if head["style"] == "bald":
                assert (regions == 7).mean() < 0.02
            else:
                red, green, blue = picture[regions > 0].mean(0)
                assert red > 1.5 * max(green, blue)


def test_an_interrupted_run_goes_on_and_ends_the_same(dataset, makehuman_pack, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Stopped

    arguments = {"seed": 5, "styles": ["red stone", "bald"], "pack": makehuman_pack}
    with pytest.raises(Stopped):
        write_avatar_dataset(tmp_path / "set", COUNT, VIEWS, SIZE, progress=stop, **arguments)
    first = tmp_path / "set" / "images" / "00000" / "img00000000.png"
    written, others = first.stat().st_mtime_ns, first.with_name("img00000002.png")
    assert not others.exists()
    assert not (tmp_path / "set" / "images" / "dataset.json").exists()
    steps: list[tuple[int, int]] = []
    write_avatar_dataset(
        tmp_path / "set", COUNT, VIEWS, SIZE, progress=lambda *step: steps.append(step), **arguments
    )
    assert steps == [(1, 2), (2, 2)]
    assert first.stat().st_mtime_ns == written
    assert _hashes(tmp_path / "set") == _hashes(dataset)


class TestFoldersInUse:
    def test_another_data_set_is_kept(self, dataset, makehuman_pack):
        before = _hashes(dataset)
        with pytest.raises(UserError, match="holds another data set.*--overwrite"):
            write_avatar_dataset(dataset, COUNT, VIEWS, SIZE, seed=9, pack=makehuman_pack)
        assert _hashes(dataset) == before

    def test_overwriting_replaces_it_entirely(self, makehuman_pack, tmp_path):
        write_avatar_dataset(tmp_path / "set", 1, 2, 16, seed=5, pack=makehuman_pack)
        write_avatar_dataset(
            tmp_path / "set", 1, 1, 16, seed=6, overwrite=True, pack=makehuman_pack
        )
        assert len(list((tmp_path / "set").rglob("*.png"))) == 2
        assert json.loads((tmp_path / "set" / "plan.json").read_text())["seed"] == 6

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_foreign_files_are_never_touched(self, makehuman_pack, tmp_path, overwrite):
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(UserError, match="thesis.txt.*choose another folder"):
            write_avatar_dataset(tmp_path, 1, 1, 16, overwrite=overwrite, pack=makehuman_pack)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"count": 0}, "count: got 0"),
        ({"views": 0}, "views: got 0"),
        ({"size": 8}, "size: got 8"),
        ({"seed": -1}, "seed: got -1"),
        ({"styles": ["unicorn"]}, "unicorn"),
        ({"pack": Path("nowhere.npz")}, "nowhere.npz.*triptych data makehuman"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(makehuman_pack, tmp_path, change, complaint):
    arguments = {"count": 1, "views": 1, "size": 16, "pack": makehuman_pack, **change}
    with pytest.raises(UserError, match=complaint):
        write_avatar_dataset(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()
