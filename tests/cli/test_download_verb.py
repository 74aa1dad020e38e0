"""`triptych download`: nothing before the licence is accepted, one clear line for each failure."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from triptych.weights import download as module
from triptych.weights import registry
from triptych.weights.published import PublishedFile

NAME = "ffhqrebalanced512-64"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache for models."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TRIPTYCH_CACHE", str(folder))
    return folder / "models"


@pytest.fixture
def publish(monkeypatch):
    """Return a function that changes what is known of the published file of `NAME`."""

    def change(**fields) -> PublishedFile:
        entry = registry.MODELS[NAME]
        published = dataclasses.replace(entry.published, **fields)
        changed = dataclasses.replace(entry, published=published)
        monkeypatch.setitem(registry.MODELS, NAME, changed)
        return published

    return change


@pytest.fixture
def no_network(monkeypatch):
    """Fail on any request."""

    def refuse(*words, **options):
        raise AssertionError("asked the network")

    monkeypatch.setattr(module, "request", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((NAME,), "under the NVIDIA Source Code License .*LICENSE.txt; add --accept-licence"),
        (("instruct-pix2pix",), "OpenRAIL-M; read it at .*; add --accept-licence"),
        (("ffhq512-12", "--accept-licence"), "did you mean 'ffhq512-128'"),
        (("avatar-i2t", "--accept-licence"), "part of triptych; there is nothing to download"),
        (("ffhq512-64", "--accept-licence"), "not among the published files"),
        (("ffhq512-64", "--accept-licence"), "convert it with: triptych convert ffhq512-64.pkl"),
        (("instruct-pix2pix", "--accept-licence", "--to", "x"), "leave --to out"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(run, cache, words, said):
    outcome = run("download", *words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert_matches(said, outcome.complaint)
    assert os.listdir() == []


def assert_matches(pattern: str, text: str) -> None:
    import re

    assert re.search(pattern, text), text


@pytest.mark.usefixtures("no_network")
def test_a_converted_model_is_not_fetched_again(run, cache):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.safetensors").write_bytes(b"any")
    outcome = run("download", NAME, "--accept-licence")
    assert outcome.code == 0
    assert "nothing to do" in outcome.err
    assert outcome.out == f"{cache / NAME}.safetensors\n"


def test_a_server_that_refuses_leads_to_the_browser(run, cache, publish):
    publish(addresses=("http://example.invalid/a.pkl",))
    outcome = run("download", NAME, "--accept-licence")
    assert outcome.code == 2
    assert_matches(
        "not safe.*; or fetch ffhqrebalanced512-64.pkl with a browser from https://catalog.ngc.*"
        "triptych convert ffhqrebalanced512-64.pkl .*ffhqrebalanced512-64.safetensors --accept",
        outcome.complaint,
    )


def test_a_folder_that_cannot_be_written_is_no_matter_of_browsers(run, cache, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run("download", NAME, "--accept-licence", "--to", "file")
    assert outcome.code == 2
    assert "is a file" in outcome.complaint
    assert "browser" not in outcome.complaint


def test_ctrl_c_says_that_the_same_command_resumes(run, cache, monkeypatch):
    def interrupt(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "request", interrupt)
    outcome = run("download", NAME, "--accept-licence")
    assert outcome.code == 130
    assert "the same command resumes there" in outcome.complaint


def test_the_official_editor_goes_to_the_hub_cache(run, cache, monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def snapshot_download(name, *, allow_patterns, local_files_only=False):
        asked.append((name, local_files_only))
        if local_files_only:
            raise OSError("not in the cache")
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    outcome = run("download", "instruct-pix2pix", "--accept-licence")
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"{tmp_path / 'snapshot'}\n"
    assert asked[-1] == ("timbrooks/instruct-pix2pix", False)


def test_models_shows_all_about_one_model(run):
    shown = run("models", "ffhq512-128")
    assert shown.code == 0
    lines = dict(line.split(": ", 1) for line in shown.out.splitlines())
    assert lines["licence"].startswith("NVIDIA")
    published = json.loads(lines["published"])
    assert published["name"] == "ffhq512-128.pkl"
    assert len(published["sha256"]) == 64
    assert json.loads(lines["expected_config"])["render_size"] == 128
    listed = json.loads(run("models", "afhqcats512-128", "--json").out)
    assert listed["expected_config"]["view"]["target"] == [0.0, 0.0, -0.06]
    assert run("models", "nobody").code == 2
