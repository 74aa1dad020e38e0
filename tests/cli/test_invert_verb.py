"""`triptych invert`: files, aligned crops and photos, folders that go on, bad input."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from toy_inversion import CAMERA, head_of, toy_encoder
from toy_portraits import tiny_config, tiny_generator

from triptych.camera import look_at_camera
from triptych.export.pictures import colour_picture, save_png
from triptych.models.styled_layers import styled_layers
from triptych.photos.picture_source import sources_of
from triptych.portrait import Portrait
from triptych.portrait.style_pack import StylePack
from triptych.runs.photo_batch import folder_names
from triptych.runs.style_source import styled_model
from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.systems.invert.job import InvertJob
from triptych.weights import save_module

RESULTS = [
    "aligned.png",
    "mesh.glb",
    "portrait.safetensors",
    "run.json",
    "strip.png",
    "turntable.mp4",
    "views.png",
]


@pytest.fixture(autouse=True)
def _quick(quick_results, monkeypatch):
    """Write small videos and meshes, and run as where mediapipe is not installed."""
    monkeypatch.setitem(sys.modules, "mediapipe", None)


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> tuple[Path, Path]:
    """Files of a toy generator and of an encoder that fits it."""
    folder = tmp_path_factory.mktemp("inversion")
    generator = tiny_generator()
    save_module(folder / "generator.safetensors", generator)
    save_module(folder / "encoder.safetensors", toy_encoder(generator), dtype=None)
    return folder / "generator.safetensors", folder / "encoder.safetensors"


@pytest.fixture
def options(models) -> tuple[str, ...]:
    """Options that make an inversion take a moment."""
    model, encoder = models
    fast = ("--steps", "1", "--refine", "none")
    return ("--model", str(model), "--encoder", str(encoder), *fast)


def write_crop(folder: Path, name: str = "head", seed: int = 9) -> Path:
    """Write a crop with its camera, as `triptych align` does."""
    folder.mkdir(exist_ok=True)
    save_png(folder / f"{name}.png", colour_picture(head_of(tiny_generator(), seed=seed)[0]))
    label = [float(number) for number in CAMERA.label25()[0]]
    (folder / f"{name}.json").write_text(json.dumps({"camera": label, "model": "avatar"}))
    save_png(folder / f"{name}-overlay.png", colour_picture(head_of(tiny_generator())[0]))
    return folder / f"{name}.png"


@pytest.fixture(scope="session")
def avatar_pixels():
    """A head of the embedded generator from a known side."""
    portrait = GeneratePipeline.from_pretrained("avatar")(seed=12)
    return colour_picture(portrait.render(look_at_camera(0.35, 0.1), 160).image[0])


def test_a_crop_with_its_camera_becomes_a_portrait(run, options, tmp_path):
    crop = write_crop(tmp_path / "aligned")
    outcome = run("invert", crop, "--out", "me", *options)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "me\n"
    assert "was aligned for 'avatar'" in outcome.err
    folder = tmp_path / "me"
    assert sorted(os.listdir(folder)) == RESULTS
    record = json.loads((folder / "run.json").read_text())
    assert [row["stage"] for row in record["stages"]] == ["mean", "step 1"]
    assert {"inversion", "turntable", "mesh", "total"} <= record["seconds"].keys()
    assert record["camera"] == pytest.approx(CAMERA.label25()[0].tolist(), abs=1e-5)
    assert set(record["networks"]) == {"perceptual", "identity"}
    assert Portrait.load(folder / "portrait.safetensors").ws.shape[0] == 1
    with Image.open(folder / "strip.png") as strip:
        assert strip.width == 4 + 3 * (32 + 4)
    again = run("invert", crop, "--out", "me", *options)
    assert again.code == 0
    assert "nothing to do" in again.err
    other = run("invert", crop, "--out", "me", *options, "--no-mirror")
    assert other.code == 2
    assert "--overwrite" in other.complaint


def test_the_head_wears_a_style(run, models, options, tmp_path):
    crop = write_crop(tmp_path / "aligned")
    factors = {
        place.name: torch.full([place.layer.affine.weight.shape[0]], 1.5)
        for place in styled_layers(tiny_generator())
    }
    StylePack(styled_model(str(models[0])), factors).save(tmp_path / "style.safetensors")
    style = ("--style", "style.safetensors", "--geometry", "0.3", "--appearance", "1")
    assert run("invert", crop, "--out", "styled", *options, *style).code == 0
    portrait = Portrait.load(tmp_path / "styled" / "portrait.safetensors")
    assert portrait.provenance["style"]["licence"] == "not stated"
    record = json.loads((tmp_path / "styled" / "run.json").read_text())
    assert record["plan"]["strength"] == {"geometry": 0.3, "appearance": 1.0}
    assert record["style"]["sha256"]
    for words, said in (
        (("--strength", "0.5"), "needs a style"),
        ((*style[:2], "--strength", "3"), "from 0 to 2"),
        (("--style", "absent.png"), "no picture absent.png"),
        (("--style", str(models[0])), "expected a StylePack"),
    ):
        outcome = run("invert", crop, "--out", "no", *options, *words)
        assert outcome.code == 2
        assert said in outcome.complaint
    assert not (tmp_path / "no").exists()


def test_a_photo_is_aligned_first(run, options, tmp_path, avatar_pixels):
    save_png(tmp_path / "photo.png", avatar_pixels)
    fewer = ('codes={"steps":2}', 'latent={"steps":1,"heads":2}', "camera_steps=1")
    quick = ("--set", *fewer)
    refined = ("--refine", "w+", "--refine-camera")
    outcome = run("invert", "photo.png", "--out", "me", *options, *refined, *quick)
    assert outcome.code == 0, outcome.err
    record = json.loads((tmp_path / "me" / "run.json").read_text())
    assert record["face"]["detector"] == "avatar network"
    assert record["seconds"]["align"] > 0
    assert [row["stage"] for row in record["stages"]][-3:] == ["camera", "latent", "w+"]
    assert record["settings"]["codes"]["steps"] == 2
    assert record["settings"]["codes"]["unit"] == "spread"
    with Image.open(tmp_path / "me" / "aligned.png") as crop:
        assert crop.size == (512, 512)


def test_a_folder_goes_on_and_lists_what_is_bad(run, options, tmp_path, monkeypatch):
    photos = tmp_path / "photos"
    for name, seed in (("a", 1), ("b", 2)):
        write_crop(photos, name, seed)
    (photos / "text.jpg").write_text("no picture")
    words = ("invert", photos, "--out", "all", *options)
    made: list[str] = []
    write = InvertJob.write

    def stopped(self, source, *rest):
        if source.name == "b.png" and not made.count("b.png"):
            made.append("b.png")
            raise KeyboardInterrupt
        made.append(source.name)
        return write(self, source, *rest)

    monkeypatch.setattr(InvertJob, "write", stopped)
    assert run(*words).code == 130
    assert sorted(os.listdir(tmp_path / "all")) == ["a", "plan.json"]
    assert sorted(os.listdir(tmp_path / "all" / "a")) == RESULTS
    before = (tmp_path / "all" / "a" / "portrait.safetensors").stat().st_mtime_ns

    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert made == ["a.png", "b.png", "b.png", "text.jpg"]
    assert "2 of 3 photos inverted" in outcome.err
    assert (tmp_path / "all" / "a" / "portrait.safetensors").stat().st_mtime_ns == before
    report = json.loads((tmp_path / "all" / "report.json").read_text())
    assert report["inverted"] == 2
    assert "not a picture" in report["photos"]["text.jpg"]["reason"]
    assert report["photos"]["b.png"]["psnr"] > 0
    table = (tmp_path / "all" / "report.md").read_text()
    assert re.search(r"\| a\.png \| \d+\.\d{3} ", table)
    assert "| text.jpg | - | - | - | - | not inverted:" in table
    with Image.open(tmp_path / "all" / "sheet.png") as sheet:
        assert sheet.width == 4 + 4 * (64 + 4)

    other = run(*words, "--no-mirror")
    assert other.code == 2
    assert "holds another run" in other.complaint


@pytest.mark.thorough
def test_photos_may_have_any_names(run, options, tmp_path):
    """The first has a byte of Latin-1 in its name; a terminal would obey the second."""
    names = ["a|caf\udce9", "\x1b[31m\nred"]
    for name in names:
        write_crop(tmp_path / "photos", name)
    outcome = run("invert", tmp_path / "photos", "--out", "all", *options)
    assert outcome.code == 0, outcome.err
    assert all(line.isprintable() for line in outcome.err.splitlines())
    assert "2 of 2 photos inverted" in outcome.err
    photos = json.loads((tmp_path / "all" / "report.json").read_text())["photos"]
    assert sorted(photos) == sorted([r"a|caf\udce9.png", "\x1b[31m\nred.png"])
    table = (tmp_path / "all" / "report.md").read_text().splitlines()
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [7] * 4
    again = run("invert", tmp_path / "photos", "--out", "all", *options)
    assert again.code == 0
    assert "1 of 2: " not in again.err, "a finished photo was inverted again"


def test_names_and_cameras_of_a_folder(tmp_path):
    write_crop(tmp_path / "set", "a")
    shutil.copy(tmp_path / "set" / "a.png", tmp_path / "set" / "photo.png")
    shutil.copy(tmp_path / "set" / "a.png", tmp_path / "set" / "photo.jpg")
    sources = sources_of(tmp_path / "set", print)
    assert [(source.name, source.camera is not None) for source in sources] == [
        ("a.png", True),
        ("photo.jpg", False),
        ("photo.png", False),
    ]
    assert list(folder_names(source.name for source in sources).values()) == [
        "a",
        "photo",
        "photo_png",
    ]
    label = [float(number) for number in CAMERA.label25()[0]]
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({"labels": [["a.png", label]]}))
    (only,) = sources_of(tmp_path / "set", print)
    assert only.name == "a.png"
    assert only.camera is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("cut.jpg", "cut off or damaged"),
        ("tiny.png", "too small: 20 x 20"),
        ("plain.png", "no face found in plain.png"),
        ("wide.png", "one square picture"),
        ("head.png --face 2", "shows one face; got face 2"),
        ("nothing", "no photos below nothing"),
        ("bad", "none of the 1 photos could be inverted"),
    ],
)
def test_mistakes_are_said_and_leave_nothing(run, options, tmp_path, avatar_pixels, words, said):
    head = Image.fromarray(avatar_pixels)
    head.save(tmp_path / "head.png")
    head.save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:1500])
    head.resize((20, 20)).save(tmp_path / "tiny.png")
    Image.new("RGB", (90, 80), (191, 191, 191)).save(tmp_path / "plain.png")
    shutil.copy(write_crop(tmp_path / "aligned").with_suffix(".json"), tmp_path / "wide.json")
    head.resize((64, 48)).save(tmp_path / "wide.png")
    (tmp_path / "text.jpg").write_text("no picture")
    for folder in ("nothing", "bad"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bad" / "text.jpg").write_text("no picture")
    before = sorted(os.listdir(tmp_path))
    photo, *changes = words.split()
    outcome = run("invert", photo, "--out", "me", *options, *changes)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert re.search(said, outcome.err.strip().splitlines()[-1])
    assert sorted(os.listdir(tmp_path)) == before


def test_the_embedded_encoder_serves_its_own_generator_only(run, models, tmp_path):
    write_crop(tmp_path / "aligned")
    outcome = run("invert", "aligned/head.png", "--out", "me", "--model", models[0])
    assert outcome.code == 2
    assert "belongs to the embedded generator" in outcome.complaint


def test_an_encoder_of_another_size_is_refused(run, models, options, tmp_path):
    other = tiny_generator(dataclasses.replace(tiny_config(), w_dim=24))
    save_module(tmp_path / "other.safetensors", other)
    crop = write_crop(tmp_path / "aligned")
    words = ("--model", tmp_path / "other.safetensors", "--encoder", models[1])
    outcome = run("invert", crop, "--out", "me", *words)
    assert outcome.code == 2
    assert "style codes of 16, the generator takes" in outcome.complaint
    assert not (tmp_path / "me").exists()
