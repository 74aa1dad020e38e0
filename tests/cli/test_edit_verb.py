"""`triptych edit` and `edit-style`: folders, reports, learned edits, mistakes of pairs."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from toy_edit import TINY, pictures, tiny_rendering

from triptych.export.pictures import colour_picture, save_png
from triptych.portrait import Portrait
from triptych.systems.edit import job as edit_job
from triptych.systems.edit.network import PortraitEncoder, PortraitEncoderConfig, TextPromptConfig
from triptych.systems.edit.style import LARGEST_FILE, EditStyle
from triptych.weights import save_module

QUICK = ("--set", "steps=4", "size=16", "check_every=2", "perceptual=0")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A toy model, two heads as portraits, a broken portrait, and pairs."""
    folder = tmp_path_factory.mktemp("models")
    config = PortraitEncoderConfig(
        replace(TINY, keeps_base=True), tiny_rendering(), TextPromptConfig()
    )
    network = PortraitEncoder(config, rng=torch.Generator().manual_seed(0)).eval()
    save_module(folder / "model.safetensors", network, dtype=None)
    (folder / "people").mkdir()
    for name in ("a", "b"):
        rng = torch.Generator().manual_seed(ord(name))
        portrait = network.portrait(torch.randn(1, 3, 4, 32, 32, generator=rng))
        portrait.save(folder / "people" / f"{name}.safetensors")
        save_png(folder / "people" / f"{name}.png", colour_picture(pictures()[0]))
    (folder / "people" / "c.safetensors").write_bytes(b"broken")
    for part in ("before", "after"):
        (folder / "pairs" / part).mkdir(parents=True)
        save_png(folder / "pairs" / part / "x.png", colour_picture(pictures(seed=len(part))[0]))
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Leave out video and mesh, which other tests look at."""

    def quickly(portrait, folder, progress, **_):
        portrait.save(folder / "portrait.safetensors")
        return {}

    monkeypatch.setattr("triptych.systems.edit.results.save_portrait_files", quickly)
    monkeypatch.setattr(edit_job, "find_ffmpeg", lambda: None)


def test_a_folder_is_edited_alike_and_goes_on(run, models, quick, tmp_path):
    out, model = tmp_path / "out", str(models / "model.safetensors")
    words = ("edit", str(models / "people"), "a zombie wug", "--model", model, "--out", str(out))
    outcome = run(*words)
    assert outcome.code == 0
    assert "'wug'" in outcome.err
    report = json.loads((out / "report.json").read_text())
    assert report["edited"] == 2
    assert not report["photos"]["c"]["edited"]
    assert (out / "sheet.png").is_file()
    record = json.loads((out / "a" / "run.json").read_text())
    assert record["prompt"] == "a zombie wug"
    assert {"align", "photo", "planes"} <= record["seconds"].keys()
    heads = [Portrait.load(out / name / "portrait.safetensors") for name in ("a", "b")]
    assert not torch.equal(heads[0].planes, heads[1].planes)
    before = (out / "a" / "run.json").stat().st_mtime_ns
    assert run(*words).code == 0
    assert (out / "a" / "run.json").stat().st_mtime_ns == before


def test_an_edit_is_learned_and_used(run, models, quick, tmp_path):
    file, model = tmp_path / "mosaic.safetensors", str(models / "model.safetensors")
    words = ("edit-style", str(models / "pairs"), "--name", "mosaic", "--model", model)
    outcome = run(*words, "--detector", "avatar", "--out", str(file), *QUICK)
    assert outcome.code == 0, outcome.err
    assert "one pair only" in outcome.err
    assert file.stat().st_size < LARGEST_FILE
    assert file.with_suffix(".png").is_file()
    assert EditStyle.load(file).provenance["pairs"] == ["x"]
    head, out = str(models / "people" / "a.safetensors"), str(tmp_path / "out")
    used = run(
        "edit", head, "--style", str(file), "--strength", "0.8", "--model", model, "--out", out
    )
    assert used.code == 0, used.err
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["style"]["name"] == "mosaic"
    assert record["strength"] == 0.8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "pairs: got neither"),
        (("{m}/pairs", "--prompt", "an elf"), "pairs: got both"),
        (("{m}/people",), "there is no folder .*before"),
        (
            (
                "--prompt",
                " ",
            ),
            "the prompt is empty",
        ),
        (("{m}/pairs", "--count", "11"), "--count: got 11"),
        (("{m}/pairs", "--set", "rank=0"), "rank: got 0"),
        (("{m}/pairs", "--model", "nobody"), "no model or file 'nobody'"),
        (("{m}/pairs", "--model", "avatar-generator"), "of kind generator"),
    ],
)
def test_mistakes_of_edit_style(run, models, tmp_path, words, said):

    words = tuple(word.replace("{m}", str(models)) for word in words)
    outcome = run("edit-style", *words, "--out", str(tmp_path / "s.safetensors"))
    assert outcome.code == 2
    assert re.search(said, outcome.complaint)
    assert not list(tmp_path.iterdir())
