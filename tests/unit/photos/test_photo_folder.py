"""Of a folder every picture is taken that opens; what does not is named; results are no photos."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from triptych.errors import UserError
from triptych.photos.photo import read_photo
from triptych.photos.photo_folder import list_photos


@pytest.fixture
def scene():
    return Image.new("RGB", (64, 48), (90, 120, 150))


def listed(folder):
    listing = list_photos(folder)
    return [path.relative_to(folder).as_posix() for path in listing.photos], listing.notes()


def test_all_endings_and_none(tmp_path, scene):
    for name, kind in (
        ("a.jpg", "JPEG"),
        ("b.JFIF", "JPEG"),
        ("c.jpe", "JPEG"),
        ("d.webp", "WEBP"),
        ("e.mpo", "JPEG"),
        ("f", "JPEG"),
        ("g.jpg_large", "JPEG"),
        ("h.download", "PNG"),
    ):
        scene.save(tmp_path / name, kind)
    for name in ("notes.txt", "film.mov", "IMG_1.AAE", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"something else")
    names, notes = listed(tmp_path)
    assert names == [
        "a.jpg",
        "b.JFIF",
        "c.jpe",
        "d.webp",
        "e.mpo",
        "f",
        "g.jpg_large",
        "h.download",
    ]
    assert notes == []
    for name in names:
        assert read_photo(tmp_path / name).pixels.shape == (48, 64, 3)


def test_pictures_of_kinds_that_cannot_be_read_are_named(tmp_path, scene):
    scene.save(tmp_path / "a.png")
    for name in ("1.CR2", "2.dng", "3.psd", "4.svg", "5.jxl"):
        (tmp_path / name).write_bytes(b"II*\0something else")
    names, notes = listed(tmp_path)
    assert names == ["a.png"]
    assert notes == [
        "left out: 1.CR2, 2.dng, 3.psd and 2 more of kinds that cannot be read; "
        "save them as JPEG or PNG first"
    ]
    (tmp_path / "a.png").unlink()
    with pytest.raises(UserError, match=r"no photos below .*; left out: 1\.CR2.*expected files"):
        list_photos(tmp_path)


@pytest.mark.parametrize("name", ["phone.heic", "phone.heif", "phone.HIF"])
def test_heic_is_listed_whether_it_can_be_opened_or_not(tmp_path, name):
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    assert listed(tmp_path)[0] == [name]
    with pytest.raises(UserError):
        read_photo(tmp_path / name)


def test_results_of_earlier_runs_are_no_photos(tmp_path, scene):
    scene.save(tmp_path / "me.png")
    for folder, file in (("aligned", "run.json"), ("more/set", "plan.json")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / file).write_text("{}")
        scene.save(tmp_path / folder / "me.png")
    scene.save(tmp_path / "more" / "you.png")
    names, notes = listed(tmp_path)
    assert names == ["me.png", "more/you.png"]
    assert notes == ["left out: aligned, set with results of earlier runs"]
    assert listed(tmp_path / "aligned")[0] == ["me.png"]  # asked for by name


def test_overlays_and_mirror_images_are_no_photos(tmp_path, scene):
    for name in ("me.png", "me-overlay.png", "you-overlay.png", "you.jpg", "you_mirror.jpg"):
        scene.save(tmp_path / name)
    (tmp_path / "me.json").write_text("{}")
    assert listed(tmp_path)[0] == ["me.png", "you-overlay.png", "you.jpg", "you_mirror.jpg"]
    (tmp_path / "dataset.json").write_text("{}")
    assert listed(tmp_path)[0] == ["me.png", "you-overlay.png", "you.jpg"]


def test_folders_without_photos(tmp_path):
    with pytest.raises(UserError, match="no photos below"):
        list_photos(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        list_photos(tmp_path / "absent")


def test_what_is_no_plain_file_is_left_out(tmp_path, scene):
    scene.save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "absent.png")
    (tmp_path / "circle").symlink_to(tmp_path)
    assert listed(tmp_path)[0] == ["a.png"]


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 60), pytest.param(1, 1_250, marks=pytest.mark.slow)]
)
def test_listings_of_every_kind(tmp_path, seed, count):
    """Whatever lies in a folder: photos are listed once, hidden files and results never."""
    rng = np.random.default_rng(seed)
    starts = [
        b"",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"\0\0\0\x18ftypavif",
        b"II*\0",
    ]
    endings = ["", ".jpg", ".HEIC", ".txt", ".cr2", ".avif", ".json", "."]
    for number in range(count):
        root = tmp_path / str(number)
        (root / "x" / "y").mkdir(parents=True)
        for _ in range(8):
            place = root / str(rng.choice(["", "x", "x/y"]))
            name = os.fsdecode(
                rng.bytes(int(rng.integers(1, 9))).replace(b"/", b"_").replace(b"\0", b".")
            )
            file = place / (name + str(rng.choice(endings)))
            if file.name.strip(".") and not file.exists():
                file.write_bytes(starts[rng.integers(len(starts))] + rng.bytes(40))
        if rng.random() < 0.3:
            (root / "x" / "y" / "run.json").write_text("{}")
        (root / "always.png").touch()
        listing = list_photos(root)
        assert root / "always.png" in listing.photos
        assert len(set(listing.photos)) == len(listing.photos)
        for path in (*listing.photos, *listing.other_pictures):
            assert path.is_file()
            assert not path.name.startswith(".")
            assert not (path.parent / "run.json").exists()
