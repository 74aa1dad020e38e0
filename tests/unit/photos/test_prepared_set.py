"""Folders of photos become training sets: whole, resumable, with a report."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from faces import seen_by
from PIL import Image

from triptych.errors import UserError
from triptych.framing import AVATAR_FRAMING
from triptych.photos.aligned_photo import frame_face
from triptych.photos.aligner import UnusableFace
from triptych.photos.labelled_images import LabelledImages
from triptych.photos.photo import read_photo
from triptych.photos.prepared_set import PreparePlan, prepare_photos


class Aligner:
    """Finds a face in every picture but the dark ones, and counts its work."""

    def __init__(self, stop_after=10**9):
        self.asked, self._stop_after = [], stop_after

    def __call__(self, path):
        if len(self.asked) == self._stop_after:
            raise KeyboardInterrupt
        self.asked.append(path.name)
        photo = read_photo(path)
        if photo.pixels.mean() < 20:
            raise UnusableFace("no face found", f"no face found in {path.name}; expected one")
        _, face = seen_by(0.3, 0.1, centre=(60.0, 50.0), picture=90.0)
        return frame_face(photo.pixels, face, AVATAR_FRAMING, 64, photo.notes)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "more/a.jpg", "b.webp"):
        coarse = rng.integers(40, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((120, 90)).save(folder / name)
    Image.new("RGB", (120, 90)).save(folder / "dark.png")
    (folder / "text.jpg").write_text("no picture")
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "notes.txt").write_text("not looked at")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


def plan_of(photos, **changes):
    settings = {
        "source": str(photos),
        "model": "avatar",
        "size": 64,
        "mirror": True,
        "uncertainty": True,
        "detector": "auto",
        "smallest_face": 64,
    }
    return PreparePlan(**{**settings, **changes})


def test_what_is_written_is_what_training_reads(photos, tmp_path):
    out, counted = tmp_path / "set", []
    summary = prepare_photos(
        out, plan_of(photos), Aligner(), progress=lambda done, total: counted.append((done, total))
    )
    assert (summary.used, summary.dropped) == (3, 3)
    assert summary.reasons == {
        "the same picture again": 1,
        "no face found": 1,
        "not a usable picture": 1,
    }
    assert counted[-1] == (6, 6)
    images = LabelledImages(out)
    assert sorted(images.names) == [
        "a.png",
        "a_mirror.png",
        "b_webp.png",
        "b_webp_mirror.png",
        "more__a.png",
        "more__a_mirror.png",
    ]
    plain, mirrored = (images.names.index(name) for name in ("a.png", "a_mirror.png"))
    torch.testing.assert_close(images.image(plain).flip(2), images.image(mirrored))
    torch.testing.assert_close(
        images.camera[plain].mirrored().label25(), images.camera[mirrored].label25()
    )
    # the loader flips a map on reading, so the mirror image's map is the plain one's, flipped
    assert images.mirror_uncertainty_map(plain, 64).shape == (64, 64)
    maps = [np.load(out / "conf_map" / f"{stem}.npy") for stem in ("a", "a_mirror")]
    assert maps[0].shape == (256, 256)
    assert (maps[0] == maps[1][:, ::-1]).all()


def test_the_report_says_what_became_of_every_photo(photos, tmp_path):
    prepare_photos(tmp_path / "set", plan_of(photos), Aligner())
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert (report["used"], report["dropped"]) == (3, 3)
    rows = report["photos"]
    assert rows["more/a.jpg"]["files"] == ["more__a.png", "more__a_mirror.png"]
    assert rows["more/a.jpg"]["yaw_deg"] > 10
    assert rows["copy.png"]["message"] == "a copy of a.png"
    assert "no face found in dark.png" in rows["dark.png"]["message"]
    assert "not a picture" in rows["text.jpg"]["message"]


def test_mirror_images_and_maps_can_be_left_out(photos, tmp_path):
    prepare_photos(tmp_path / "set", plan_of(photos, mirror=False, uncertainty=False), Aligner())
    images = LabelledImages(tmp_path / "set")
    assert sorted(images.names) == ["a.png", "b_webp.png", "more__a.png"]
    assert not (tmp_path / "set" / "conf_map").exists()
    assert images.mirror_uncertainty_map(0, 64) is None


def test_a_stopped_run_goes_on(photos, tmp_path):
    out, plan = tmp_path / "set", plan_of(photos)
    with pytest.raises(KeyboardInterrupt):
        prepare_photos(out, plan, Aligner(stop_after=2))
    assert not (out / "dataset.json").exists()
    second = Aligner()
    prepare_photos(out, plan, second)
    assert second.asked == ["dark.png", "a.jpg", "text.jpg"]
    third = Aligner()
    prepare_photos(out, plan, third)
    assert third.asked == []
    whole = tmp_path / "whole"
    prepare_photos(whole, plan, Aligner())
    assert (whole / "dataset.json").read_text() == (out / "dataset.json").read_text()


def test_lost_and_changed_files_are_made_again(photos, tmp_path):
    out, plan = tmp_path / "set", plan_of(photos)
    prepare_photos(out, plan, Aligner())
    (out / "b_webp_mirror.png").unlink()
    Image.new("RGB", (120, 90), (200, 100, 50)).save(photos / "dark.png")
    with open(out / "progress.jsonl", "a", encoding="utf-8") as log:
        log.write('{"photo": "cut off')
    again = Aligner()
    summary = prepare_photos(out, plan, again)
    assert again.asked == ["b.webp", "dark.png"]
    assert summary.used == 4


def test_another_set_is_not_overwritten_unasked(photos, tmp_path):
    out = tmp_path / "set"
    prepare_photos(out, plan_of(photos), Aligner())
    other = plan_of(photos, size=32)
    with pytest.raises(UserError, match="holds another set.*--overwrite"):
        prepare_photos(out, other, Aligner())
    prepare_photos(out, other, Aligner(), overwrite=True)
    assert len(LabelledImages(out)) == 6


def test_other_peoples_files_are_never_touched(photos, tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    (out / "thesis.doc").write_text("years of work")
    with pytest.raises(UserError, match="holds other files"):
        prepare_photos(out, plan_of(photos), Aligner(), overwrite=True)
    assert [path.name for path in out.iterdir()] == ["thesis.doc"]


def test_no_usable_photo_is_a_mistake_with_a_report(photos, tmp_path):
    for name in ("a.png", "more/a.jpg", "b.webp", "copy.png"):
        (photos / name).unlink()
    with pytest.raises(UserError, match="none of the 2 photos could be used"):
        prepare_photos(tmp_path / "set", plan_of(photos), Aligner())
    assert (tmp_path / "set" / "report.json").exists()
    assert not (tmp_path / "set" / "dataset.json").exists()


def colours(path, seed):
    """A picture that is the same as no other."""
    coarse = np.random.default_rng(seed).integers(40, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((120, 90)).save(path)


def test_results_of_different_photos_have_different_names(tmp_path):
    photos = tmp_path / "photos"
    (photos / "a").mkdir(parents=True)
    names = ("me.jpg", "me.png", "me_mirror.jpg", "ME.jpeg", "a/b.jpg", "a__b.jpg", "dataset.png")
    for seed, name in enumerate(names):
        colours(photos / name, seed)
    out = tmp_path / "set"
    summary = prepare_photos(out, plan_of(photos), Aligner())
    assert summary.used == len(names)
    images = LabelledImages(out)
    assert len({name.lower() for name in images.names}) == 2 * len(names)
    rows = json.loads((out / "report.json").read_text())["photos"]
    for name in names:
        crop, mirror_image = rows[name]["files"]
        crop, mirror_image = (images.image(images.names.index(f)) for f in (crop, mirror_image))
        torch.testing.assert_close(crop.flip(2), mirror_image)


def test_a_photo_that_is_added_later_takes_no_others_name(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "set"
    photos.mkdir()
    colours(photos / "me.png", 0)
    prepare_photos(out, plan_of(photos), Aligner())
    before = (out / "me.png").read_bytes()
    colours(photos / "me.jpg", 1)  # comes first in the folder
    again = Aligner()
    assert prepare_photos(out, plan_of(photos), again).used == 2
    assert again.asked == ["me.jpg"]
    assert (out / "me.png").read_bytes() == before
    assert len(LabelledImages(out)) == 4


def test_a_set_within_the_folder_of_the_photos_is_no_source(photos):
    out = photos / "set"
    for _ in range(2):
        assert prepare_photos(out, plan_of(photos), Aligner()).used == 3
    with pytest.raises(UserError, match="is the folder of the photos; choose another one"):
        prepare_photos(photos, plan_of(photos), Aligner(), overwrite=True)


def test_a_photo_of_a_kind_that_needs_a_package_is_counted_as_such(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (photos / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    summary = prepare_photos(tmp_path / "set", plan_of(photos), Aligner())
    assert summary.reasons["a package is missing"] == 1
    report = json.loads((tmp_path / "set" / "report.json").read_text())["photos"]
    assert 'pip install "triptych[heic]"' in report["phone.heic"]["message"]
