"""The verbs that turn models and portraits into files, and their bad input."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from two_balls import TwoBallsPortrait

from triptych.cli.options import changed, parse_key_values, parse_seeds
from triptych.errors import UserError
from triptych.portrait import Portrait
from triptych.weights.safetensors_file import FileHeader, save_tensors


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [3]), ("0-3", [0, 1, 2, 3]), ("1,4, 9", [1, 4, 9]), ("5,0-1,1", [5, 0, 1])],
)
def test_seeds_as_people_write_them(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "1;2", "1.5", "0-5000", "1,,2"])
def test_seeds_that_cannot_be_read(text):
    with pytest.raises(UserError, match="seeds: "):
        parse_seeds(text)


def test_key_values_are_json_or_text():
    read = parse_key_values(["a=1", "b=0.5", "c=[1, 2]", "d=word", "e=true", "f=x=y", "g="])
    assert read == {"a": 1, "b": 0.5, "c": [1, 2], "d": "word", "e": True, "f": "x=y", "g": ""}


@pytest.mark.parametrize(("settings", "said"), [(["a"], "KEY=VALUE"), (["a=1", "a=2"], "twice")])
def test_key_values_that_cannot_be_read(settings, said):
    with pytest.raises(UserError, match=said):
        parse_key_values(settings)


def test_changes_reach_into_nested_settings():
    values = {"a": 1, "b": {"c": 2, "d": 3}, "e": [1]}
    changes = {"a": 5, "b": {"c": 7, "new": 8}, "e": {"x": 1}}
    expected = {"a": 5, "b": {"c": 7, "d": 3, "new": 8}, "e": {"x": 1}}
    assert changed(values, changes) == expected
    assert values["b"] == {"c": 2, "d": 3}


def test_generate_leaves_portraits_a_sheet_and_a_record(run, model_file, tmp_path):
    words = ("generate", "--seeds", "3,5", "--model", model_file, "--out", "people")
    outcome = run(*words, "--size", "16")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "people\n"
    folder = tmp_path / "people"
    assert sorted(os.listdir(folder)) == [
        "run.json",
        "seed00003.safetensors",
        "seed00005.safetensors",
        "sheet.png",
    ]
    portrait = Portrait.load(folder / "seed00005.safetensors")
    assert portrait.provenance["seed"] == 5
    record = json.loads((folder / "run.json").read_text())
    assert record["plan"]["seeds"] == [3, 5]
    assert len(record["plan"]["model"]["sha256"]) == 64
    assert record["seconds"] > 0

    again = run(*words, "--size", "16")
    assert again.code == 0
    assert "nothing to do" in again.err
    other = run("generate", "--seeds", "4", "--model", model_file, "--out", "people")
    assert other.code == 2
    assert "add --overwrite" in other.complaint
    assert run(*other_words(model_file), "--overwrite").code == 0
    assert sorted(os.listdir(folder)) == ["run.json", "seed00004.safetensors", "sheet.png"]


def other_words(model_file):
    return ("generate", "--seeds", "4", "--model", model_file, "--out", "people", "--size", "16")


def test_generate_makes_films_and_meshes_on_demand(run, portrait_file, model_file, monkeypatch):
    from triptych.export.video import save_turntable
    from triptych.systems.generate.pipeline import GeneratePipeline

    ball = Portrait.load(portrait_file)
    monkeypatch.setattr(GeneratePipeline, "__call__", lambda self, seed, **options: ball)
    film = save_turntable.__wrapped__
    monkeypatch.setattr(film, "__kwdefaults__", film.__kwdefaults__ | {"num_frames": 3})
    coarse = {"resolution": 24, "level": None}
    monkeypatch.setattr("triptych.export.mesh.portrait_mesh.__wrapped__.__kwdefaults__", coarse)
    words = ("--turntable", "--mesh", "--size", "16", "--out", "x", "--model", model_file)
    outcome = run("generate", "--seeds", "1", *words)
    assert outcome.code == 0, outcome.err
    assert {"seed00001.glb", "seed00001.mp4"} < set(os.listdir("x"))


def test_render_writes_the_picture_of_that_side(run, portrait_file, tmp_path):
    outcome = run(
        "render", portrait_file, "--yaw-deg", "90", "--size", "64", "--depth", "--normals",
        "--supersampling", "2", "--out", "new/side.png",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    written = ["new/side.png", "new/side-depth.png", "new/side-normals.png"]
    assert outcome.out.splitlines() == written
    colour = np.asarray(Image.open(tmp_path / "new/side.png"))
    assert colour.shape == (64, 64, 3)
    # from the right one sees the red half only
    assert colour[32, 32].tolist() == pytest.approx([255, 128, 64], abs=3)
    # seen from the right, the near point of the ball is a little right of the picture's centre
    assert np.asarray(Image.open(tmp_path / "new/side-depth.png")).max() == 255
    assert np.asarray(Image.open(tmp_path / "new/side-normals.png"))[32, 32, 2] > 200
    refused = run("render", portrait_file, "--out", "new/side.png")
    assert refused.code == 2
    assert "--overwrite" in refused.complaint
    assert run("render", portrait_file, "--out", "new/side.png", "--overwrite").code == 0
    # twice the portrait's own 64 pixels, which are few for people
    assert Image.open(tmp_path / "new/side.png").size == (128, 128)


def test_export_writes_mesh_and_video(run, portrait_file, tmp_path):
    outcome = run(
        "export", portrait_file, "--mesh", "a.ply", "--video", "a.mp4",
        "--resolution", "32", "--frames", "3", "--size", "32",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.out == "a.ply\na.mp4\n"
    plain = ("--resolution", "32", "--texture", "0")
    assert run("export", portrait_file, "--mesh", "a.glb", *plain).code == 0
    assert trimesh.load(tmp_path / "a.glb", force="mesh").is_watertight
    assert trimesh.load(tmp_path / "a.ply", force="mesh").is_watertight
    with imageio.get_reader(tmp_path / "a.mp4") as reader:
        assert reader.count_frames() == 3


@pytest.mark.thorough
def test_a_page_is_written_and_opened(run, portrait_file, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    exported = run("export", portrait_file, "--html", "a.html")
    assert exported.code == 0, exported.err
    assert opened == []
    viewed = run("view", portrait_file)
    assert viewed.code == 0, viewed.err
    file = Path(viewed.out.strip())
    assert file.parent == tmp_path / "cache" / "pages"
    assert opened == [file.as_uri()]
    assert file.read_text() == (tmp_path / "a.html").read_text()
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    alone = run("view", portrait_file, "--out", "b.html", "--title", "Me")
    assert alone.code == 2
    assert "no browser was found; open b.html" in alone.complaint
    assert "<title>Me</title>" in (tmp_path / "b.html").read_text()
    refused = run("view", portrait_file, "--out", "b.html")
    assert refused.code == 2
    assert "--overwrite" in refused.complaint


@pytest.mark.parametrize(
    "words", ["export {portrait} --video a.mp4", "generate --out x --turntable"]
)
def test_a_missing_ffmpeg_is_said_before_any_work(run, portrait_file, monkeypatch, words, tmp_path):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "absent"))
    outcome = run(*words.format(portrait=portrait_file).split())
    assert outcome.code == 2
    assert "ffmpeg is missing" in outcome.complaint
    assert os.listdir(tmp_path) == []


def test_models_are_listed_with_their_licences(run):
    table = run("models")
    assert table.code == 0
    lines = table.out.splitlines()
    assert re.match(r"name +kind +origin +size +present +licence +page", lines[0])
    assert any("ffhq512-128" in line and "non-commercial" in line for line in lines)
    listed = json.loads(run("models", "--json").out)
    assert len(listed) == len(lines) - 1
    assert {"name", "sha256", "bytes", "present", "licence", "page"} <= listed[0].keys()


@pytest.fixture
def foreign_file(tmp_path):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(b"PK\x03\x04 not ours")
    return path


MISTAKES = [
    ("render {portrait} --yaw-deg 181", "--yaw-deg: got 181; expected a number from -180 to 180"),
    ("render {portrait} --pitch-deg -91", "--pitch-deg: got -91"),
    ("render {portrait} --yaw-deg nan", "--yaw-deg: got nan"),
    ("render {portrait} --size 4", "--size: got 4; expected a number from 16 to 2048"),
    ("render {portrait} --size 4096", "--size: got 4096"),
    ("render {portrait} --supersampling 9", "--supersampling: got 9"),
    ("render {portrait} --out side.jpg", "expected .png"),
    ("render {portrait} --out {portrait}/side.png", "is a file"),
    ("render absent.safetensors", "cannot read absent.safetensors"),
    ("render {foreign}", "zip archive"),
    ("render {model}", "holds a TriPlaneGenerator; expected a portrait"),
    ("render .", "cannot read"),
    ("export {portrait}", "give --html FILE.html, --mesh FILE.glb, --splats"),
    ("export {portrait} --html a.htm", "expected .html"),
    ("view absent.safetensors", "cannot read absent.safetensors"),
    ("view {portrait} --out a.txt", "expected .html"),
    ("export {portrait} --mesh a.stl", "expected .glb or .ply or .obj"),
    ("export {portrait} --splats a.splat", "expected .ply or .glb"),
    ("export {portrait} --mesh a.glb --splats a.glb", "--mesh and --splats both name a.glb"),
    ("export {portrait} --usdz a.usd", "expected .usdz"),
    ("export {portrait} --usdz a.usdz --texture 0", "--texture: got 0"),
    ("export {portrait} --video a.avi", "expected .mp4"),
    ("export {portrait} --mesh a.glb --resolution 5", "--resolution: got 5"),
    ("export {portrait} --mesh a.glb --texture 5", "--texture: got 5"),
    ("export {portrait} --video a.mp4 --frames 0", "--frames: got 0"),
    ("export {portrait} --video a.mp4 --size 1", "--size: got 1"),
    ("generate --out {model} --model {model}", "is a file"),
    ("generate --out {model}/x --model {model}", "cannot write in the folder"),
    ("train generator", "training needs a budget"),
    ("train painter --steps 1", "unknown recipe 'painter'"),
    ("train compose --steps 1", "trained in stages: give --stage 1"),
    ("train generator --stage 1 --steps 1", "generator has no stages; leave out --stage"),
    ("data regions a --out b", "give either --masks or --parser"),
    ("train generator --steps 0", "--steps: got 0"),
    ("train generator --steps 1 --set batch_headz=1", "did you mean 'batch_heads'"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistakes_are_one_line_and_leave_nothing(
    run, tmp_path, portrait_file, model_file, foreign_file, words, said
):
    files = {"portrait": portrait_file, "model": model_file, "foreign": foreign_file}
    outcome = run(*words.format(**files).split(" "))
    assert outcome.code == 2
    assert outcome.out == ""
    assert re.search(said, outcome.complaint)
    assert os.listdir(tmp_path) == ["foreign.safetensors"]


def test_any_kind_of_portrait_is_rendered_and_exported(run, tmp_path):
    TwoBallsPortrait("sdf").save(tmp_path / "balls.safetensors")
    rendered = run("render", "balls.safetensors", "--size", "32", "--depth", "--out", "a.png")
    assert rendered.code == 0, rendered.err
    assert "exact path" in rendered.err
    exported = run(
        "export", "balls.safetensors", "--mesh", "a.glb", "--video", "a.mp4",
        "--resolution", "32", "--frames", "2", "--size", "32", "--texture", "64",
    )  # fmt: skip
    assert exported.code == 0, exported.err
    textured = trimesh.load(tmp_path / "a.glb", force="mesh")
    assert textured.visual.material.baseColorTexture.size == (64, 64)
    refused = run("stylize", "a bronze statue", "--identity", "balls.safetensors", "--out", "x")
    assert refused.code == 2
    assert "holds a TwoBallsPortrait; expected a TriPlanePortrait" in refused.complaint


@pytest.mark.parametrize(
    ("class_name", "version", "said"),
    [
        ("HologramPortrait", 1, "holds a HologramPortrait; expected a portrait"),
        ("TriPlanePortrait", 9, "written by a newer triptych (format 9"),
    ],
)
def test_portraits_of_unknown_kinds_and_newer_formats_are_one_line(
    run, tmp_path, class_name, version, said
):
    header = FileHeader(class_name, {}, format_version=version)
    save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(1)}, header)
    outcome = run("render", "a.safetensors")
    assert outcome.code == 2
    assert said in outcome.complaint
    assert os.listdir(tmp_path) == ["a.safetensors"]
