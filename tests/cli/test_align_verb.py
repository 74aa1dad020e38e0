"""`triptych align` and `triptych data prepare`: files, notes, bad input, nothing half-written."""

from __future__ import annotations

import json
import os
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.camera import Camera, look_at_camera
from triptych.export.pictures import colour_picture, save_png
from triptych.photos.labelled_images import LabelledImages
from triptych.systems.generate.pipeline import GeneratePipeline

YAW, PITCH = 0.35, 0.1


@pytest.fixture(scope="session")
def avatar_pixels():
    """A head of the embedded generator from a known side."""
    portrait = GeneratePipeline.from_pretrained("avatar")(seed=12)
    return colour_picture(portrait.render(look_at_camera(YAW, PITCH), 160).image[0])


@pytest.fixture(autouse=True)
def _no_mediapipe(monkeypatch):
    """Run as where the extra is not installed, so that every machine does the same."""
    monkeypatch.setitem(sys.modules, "mediapipe", None)


@pytest.fixture
def photo(tmp_path, avatar_pixels):
    save_png(tmp_path / "head.png", avatar_pixels)
    return tmp_path / "head.png"


def off_by_deg(label):
    camera = Camera.from_label25(torch.tensor([label]))
    truth = look_at_camera(YAW, PITCH)
    return float(torch.rad2deg(torch.hypot(camera.yaw - truth.yaw, camera.pitch - truth.pitch)))


def test_a_photo_becomes_crop_camera_and_overlay(run, photo, tmp_path):
    outcome = run("align", photo)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "aligned\n"
    folder = tmp_path / "aligned"
    names = ["head-overlay.png", "head.json", "head.png", "run.json"]
    assert sorted(os.listdir(folder)) == names
    said = json.loads((folder / "head.json").read_text())
    assert len(said["camera"]) == 25
    assert off_by_deg(said["camera"]) < 6
    assert said["detector"] == "avatar network"
    assert said["faces"] == 1
    assert "the crop will be soft" in said["notes"][0]
    assert f"warning: {said['notes'][0]}" in outcome.err
    assert len(said["five_points"]) == 5
    with Image.open(folder / "head.png") as crop:
        assert crop.size == (512, 512)
    again = run("align", photo)
    assert again.code == 0
    assert "already holds this very run" in again.err


def test_crops_for_official_models_need_no_official_weights(run, photo, tmp_path):
    outcome = run("align", photo, "--model", "ffhq512-128", "--size", "64", "--out", "eg3d")
    assert outcome.code == 0, outcome.err
    said = json.loads((tmp_path / "eg3d" / "head.json").read_text())
    camera = Camera.from_label25(torch.tensor([said["camera"]]))
    assert float(camera.positions[0].norm()) == pytest.approx(2.7, abs=1e-4)
    assert said["crop"]["roll_deg"] == 0
    with Image.open(tmp_path / "eg3d" / "head.png") as crop:
        assert crop.size == (64, 64)


def test_photographs_without_mediapipe_say_what_installs_it(run, tmp_path):
    from skimage.data import astronaut

    save_png(tmp_path / "astronaut.png", astronaut())
    outcome = run("align", "astronaut.png")
    assert outcome.code == 0, outcome.err
    assert "mediapipe is not installed" in outcome.err
    assert "pip install 'triptych[photo]'" in outcome.err


def test_a_folder_goes_through_without_its_bad_files(run, photo, tmp_path, avatar_pixels):
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    for name in ("a.png", "a.jpg", "more/a.png"):
        Image.fromarray(avatar_pixels).save(photos / name)
    (photos / "text.jpg").write_text("no picture")
    Image.new("RGB", (90, 80)).save(photos / "dark.png")
    outcome = run("align", photos, "--size", "64", "--out", "all")
    assert outcome.code == 0, outcome.err
    assert "3 of 5 photos aligned" in outcome.err
    report = json.loads((tmp_path / "all" / "report.json").read_text())
    assert sorted(name for name, row in report.items() if row["aligned"]) == [
        "a.jpg",
        "a.png",
        "more/a.png",
    ]
    assert "not a picture" in report["text.jpg"]["reason"]
    assert "no face found in dark.png" in report["dark.png"]["reason"]
    images = LabelledImages(tmp_path / "all")
    assert sorted(images.names) == ["a.png", "a_png.png", "more__a.png"]
    assert images.image(0).shape == (3, 64, 64)
    for index in range(3):
        assert off_by_deg(images.camera.label25()[index].tolist()) < 7


def test_prepare_writes_a_training_set_and_goes_on(run, tmp_path, avatar_pixels):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(avatar_pixels).save(photos / "a.png")
    (photos / "text.jpg").write_text("no picture")
    words = ("data", "prepare", photos, "--out", "set", "--size", "64", "--confidence")
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "set\n"
    assert "1 dropped: not a usable picture" in outcome.err
    assert "1 photos used, 1 dropped" in outcome.err
    images = LabelledImages(tmp_path / "set")
    assert images.names == ("a.png", "a_mirror.png")
    assert images.mirror_uncertainty_map(0, 64).shape == (64, 64)
    assert run(*words).code == 0
    other = run(*words, "--no-mirror")
    assert other.code == 2
    assert "holds another set" in other.complaint
    assert run(*words, "--no-mirror", "--overwrite").code == 0
    assert LabelledImages(tmp_path / "set").names == ("a.png",)


def bad_files(folder, avatar_pixels):
    """One file of every kind that cannot be aligned."""
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").touch()
    head = Image.fromarray(avatar_pixels)
    head.save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:1500])
    head.resize((40, 40)).save(folder / "small.png")
    head.resize((20, 20)).save(folder / "tiny.png")
    Image.fromarray(np.full((200, 200, 3), 191, np.uint8)).save(folder / "plain.png")
    Image.new("RGB", (1600, 40)).save(folder / "strip.png")
    (folder / "nothing").mkdir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("align absent.jpg", "there is no photo absent.jpg"),
        ("align text.jpg", "not a picture that can be read"),
        ("align empty.png", "not a picture that can be read"),
        ("align cut.jpg", "cut off or damaged"),
        ("align tiny.png", "too small: 20 x 20 pixels"),
        ("align small.png", r"pixels wide; expected at least 32"),
        ("align plain.png", "no face found in plain.png.*triptych\\[photo\\]"),
        ("align strip.png", "which is no photo of a face"),
        ("align head.png --face 2", "shows one face; got face 2"),
        ("align head.png --face 0", "--face: got 0"),
        ("align head.png --size 9", "--size: got 9"),
        ("align head.png --model unicorn", "no model or file 'unicorn'"),
        ("align head.png --model afhqcats512-128", "not one of human faces"),
        ("align head.png --model avatar-editor", "of kind editor"),
        ("align head.png --detector mediapipe", r'pip install "triptych\[photo\]"'),
        ("align head.png --detector dlib", "detector"),
        ("align nothing", "no photos below nothing"),
        ("data prepare nothing --out aligned", "no photos below nothing"),
        ("data prepare absent --out aligned", "absent is not a folder"),
        ("data prepare bad --out aligned --size 9", "--size: got 9"),
        ("data prepare bad --out aligned --smallest-face 1", "--smallest-face: got 1"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(run, photo, tmp_path, avatar_pixels, words, said):
    bad_files(tmp_path, avatar_pixels)
    before = sorted(os.listdir(tmp_path))
    outcome = run(*words.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert re.search(said, outcome.complaint)
    assert sorted(os.listdir(tmp_path)) == before


def test_no_result_replaces_a_photo(run, photo, tmp_path):
    before = photo.read_bytes()
    for words in (("align", photo), ("align", tmp_path)):
        outcome = run(*words, "--out", tmp_path, "--overwrite")
        assert outcome.code == 2
        assert "would replace the photo" in outcome.complaint
        assert photo.read_bytes() == before


def test_a_folder_is_aligned_into_itself_twice(run, photo, tmp_path):
    """The results lie among the photos, and are no photos the next time."""
    words = ("align", tmp_path, "--size", "64", "--out", "aligned")
    assert "1 of 1 photos aligned" in run(*words).err
    again = run(*words, "--overwrite")
    assert again.code == 0, again.err
    assert "1 of 1 photos aligned" in again.err
    assert "left out: aligned with results of earlier runs" in again.err


def test_a_photo_named_like_the_record_of_a_run(run, photo, tmp_path):
    photo.rename(tmp_path / "run.png")
    outcome = run("align", "run.png", "--size", "64")
    assert outcome.code == 0, outcome.err
    names = ["run.json", "run_png-overlay.png", "run_png.json", "run_png.png"]
    assert sorted(os.listdir(tmp_path / "aligned")) == names


def test_a_folder_of_bad_files_leaves_nothing(run, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "text.jpg").write_text("no picture")
    outcome = run("align", "bad")
    assert outcome.code == 2
    assert "none of the 1 photos could be aligned" in outcome.err
    assert not (tmp_path / "aligned").exists()
