"""Each photo's results have names that no other photo's results have, on any file system."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from triptych.photos.output_names import crop_name, output_names


def files(name):
    return f"{name}.png", f"{name}_mirror.png", f"{name}.json"


def folded(name):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def test_usual_names():
    assert crop_name("a/b/c.jpg") == "a__b__c"
    assert crop_name("c.webp") == "c_webp"
    assert crop_name("c.d.PNG") == "c.d"
    assert crop_name("no ending") == "no ending"
    assert crop_name("v1.2/no ending") == "v1.2__no ending"
    assert crop_name("caf\udce9/a\nb.\x1bx") == "caf___a_b__x"


def test_names_that_would_meet():
    photos = ["me.jpg", "me.png", "me_mirror.jpg", "ME.jpeg", "a/b.jpg", "a__b.jpg", "report.jpg"]
    assert output_names(photos, files, reserved=["report.json"]) == {
        "me.jpg": "me",
        "me.png": "me_png",
        "me_mirror.jpg": "me_mirror_jpg",
        "ME.jpeg": "ME_jpeg",
        "a/b.jpg": "a__b",
        "a__b.jpg": "a__b_jpg",
        "report.jpg": "report_jpg",
    }


def test_names_of_an_earlier_run_stay():
    names = output_names(["me.jpg", "me.png"], files, kept={"me.png": "me"})
    assert names == {"me.png": "me", "me.jpg": "me_jpg"}


def test_letters_that_can_be_written_in_two_ways():
    one, other = unicodedata.normalize("NFC", "Zoe\u0308.jpg"), "Zoe\u0308.jpg"
    assert one != other
    names = output_names([one, other], files)
    assert len({folded(name) for name in names.values()}) == 2


def test_long_paths_are_cut_and_stay_different():
    deep = "/".join(["a folder with a long name"] * 12)
    names = output_names([f"{deep}/1.jpg", f"{deep}/2.jpg"], files)
    assert len(set(names.values())) == 2
    assert all(len(name.encode()) <= 185 for name in names.values())


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 400), pytest.param(1, 10_000, marks=pytest.mark.slow)]
)
def test_folders_of_every_kind(seed, count):
    rng = np.random.default_rng(seed)
    parts = ["a", "A", "me", "_mirror", "_jpg", "_2", ".", "/", "__", "report", "\u00e9", "e\u0301",
             "\udce9", " ", "-overlay", "\u0130", "\u00df", "ss", "x" * 200]  # fmt: skip
    endings = [".jpg", ".JPG", ".jpeg", ".png", ".webp", ".tif", ".heic", ""]
    reserved = ["report.json", "dataset.json", "run.json"]
    for _ in range(count):
        photos = {
            "".join(rng.choice(parts, size=rng.integers(1, 5))).strip("/")
            + str(rng.choice(endings))
            for _ in range(rng.integers(1, 12))
        } - {""}
        names = output_names(sorted(photos), files, reserved=reserved)
        assert set(names) == photos
        written = [folded(file) for name in names.values() for file in files(name)]
        assert len(set(written) | set(reserved)) == len(written) + len(reserved)
        for name in names.values():
            assert "/" not in name
            assert len(name.encode("utf-8")) < 200
