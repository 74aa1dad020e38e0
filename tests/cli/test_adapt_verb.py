"""`triptych adapt` and `triptych generate --style`: pictures to a pack, worn by heads."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import triptych
from triptych.metrics.metric_networks import MetricNetworks
from triptych.systems.adapt import job
from triptych.systems.adapt import pipeline as pipelines


class Blocks:
    """Features, identity and distance by the colours of blocks."""

    def __call__(self, image, other=None):
        return {"coarse": F.avg_pool2d(image, 4), "coarser": F.avg_pool2d(image, 8)}

    def embed(self, image):
        return F.normalize(F.adaptive_avg_pool2d(image, 4).flatten(1), dim=1)

    def requires_grad_(self, _):
        return self


@pytest.fixture
def quick_networks(monkeypatch):
    monkeypatch.setattr(pipelines, "load_features", lambda name: Blocks())
    networks = MetricNetworks(Blocks(), Blocks(), {})
    monkeypatch.setattr(pipelines, "find_metric_networks", lambda: networks)


@pytest.fixture
def paintings(tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (48, 48), (220, 20, 20)).save(folder / name)
    (folder / "broken.png").write_bytes(b"\x89PNG")
    return folder


SETTINGS = ("--set", "steps=2", "view_size=16", "check_every=1")


def test_pictures_become_a_pack_that_heads_wear(
    run, tmp_path, model_file, paintings, quick_networks
):
    words = ("adapt", paintings, "--out", "red.safetensors", "--model", model_file)
    outcome = run(*words, "--licence", "CC0", "--detector", "avatar", *SETTINGS)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "red.safetensors\n"
    assert "broken.png" in outcome.err
    assert (tmp_path / "red.png").is_file()
    pack = triptych.StylePack.load(tmp_path / "red.safetensors")
    assert pack.licence == "CC0"
    assert pack.provenance["settings"]["steps"] == 2
    generate = ("generate", "--seeds", "3", "--model", model_file, "--size", "16")
    styled = ("--style", "red.safetensors", "--geometry", "0.3", "--appearance", "1.5")
    assert run(*generate, "--out", "heads", *styled).code == 0
    portrait = triptych.Portrait.load(tmp_path / "heads" / "seed00003.safetensors")
    assert portrait.provenance["strength"] == {"geometry": 0.3, "appearance": 1.5}
    untouched = ("--style", "red.safetensors", "--strength", "0")
    assert run(*generate, "--out", "same", *untouched).code == 0
    assert run(*generate, "--out", "plain").code == 0
    same, plain = (
        triptych.Portrait.load(tmp_path / folder / "seed00003.safetensors")
        for folder in ("same", "plain")
    )
    assert torch.equal(same.planes, plain.planes)


def test_a_sheet_shows_the_style_so_far_and_a_stopped_run_leaves_nothing(
    run, tmp_path, model_file, paintings, quick_networks, monkeypatch
):
    shown = []

    def save(path, picture):
        path.write_bytes(b"a picture")
        shown.append(picture.shape)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "_SHEET_EVERY_S", -1.0)
    monkeypatch.setattr(job, "save_png", save)
    monkeypatch.setattr(pipelines.AdaptPipeline, "previews", stop)
    words = ("adapt", paintings, "--out", "red.safetensors", "--model", model_file)
    assert run(*words, "--detector", "avatar", *SETTINGS).code == 130
    assert len(shown) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"paintings"}


def test_mistakes_are_one_line(run, tmp_path, model_file, paintings):
    for words, said in (
        (("adapt", "absent", "--out", "x.safetensors"), "there is no picture or folder absent"),
        (("adapt", paintings, "--out", "x.png"), "x.png"),
        (("adapt", paintings, "--out", "x.safetensors", "--set", "step=3"), "did you mean 'steps'"),
        (("generate", "--out", "x", "--strength", "0.5"), "a strength needs a style"),
        (("generate", "--out", "x", "--style", "a.txt"), "expected a style pack"),
        (("generate", "--out", "x", "--style", "a.png"), "there is no picture a.png"),
        (("generate", "--out", "x", "--style", "a.safetensors"), "a.safetensors"),
        (
            ("generate", "--out", "x", "--style", "a.safetensors", "--strength", "3"),
            "expected a number from 0 to 2",
        ),
        (("generate", "--out", "x", "--style", model_file), "expected a StylePack"),
    ):
        outcome = run(*words)
        assert outcome.code == 2, words
        assert said in outcome.complaint
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "x.safetensors").exists()
