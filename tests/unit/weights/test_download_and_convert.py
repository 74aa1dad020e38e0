"""From a name to a model that every verb opens: downloaded, converted, loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle

import pytest
import torch
from eg3d_pickles import eg3d_pickle, tiny_eg3d
from file_server import FileServer, breaking_off

from triptych.cli.main import main
from triptych.weights import load_generator, registry

NAME = "ffhq512-128"


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A publisher of a toy EG3D checkpoint, and an empty cache."""
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = FileServer()
    running.content = eg3d_pickle(tiny_eg3d())
    entry = registry.MODELS[NAME]
    published = dataclasses.replace(
        entry.published,
        addresses=(running.address(f"{NAME}.pkl"),),
        num_bytes=len(running.content),
        sha256=hashlib.sha256(running.content).hexdigest(),
    )
    monkeypatch.setitem(registry.MODELS, NAME, dataclasses.replace(entry, published=published))
    yield running
    running.close()


def test_a_model_becomes_usable_by_its_name(server, tmp_path, capsys):
    server.habits = [breaking_off(1000)]
    assert main(["download", NAME, "--accept-licence"]) == 0
    folder = tmp_path / "models"
    assert sorted(os.listdir(folder)) == [f"{NAME}.pkl", f"{NAME}.safetensors"]
    shown = capsys.readouterr()
    assert shown.out == f"{folder / NAME}.safetensors\n"
    assert "downloading ffhq512-128.pkl (MB)" in shown.err
    assert "length and hash are as https://" in shown.err
    assert "are not those expected of ffhq512-128" in shown.err  # a toy is not the real one
    loaded, expected = load_generator(NAME), tiny_eg3d()
    assert loaded.config == expected.config
    z = torch.randn(1, expected.config.z_dim, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.planes(loaded.mapping(z)), expected.planes(expected.mapping(z)))

    assert main(["download", NAME, "--accept-licence"]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert len(server.requests) == 2


def test_another_folder_may_be_chosen(server, tmp_path, capsys):
    folder = tmp_path / "mine"
    assert main(["download", NAME, "--accept-licence", "--to", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / NAME}.safetensors\n"
    assert load_generator(folder / f"{NAME}.safetensors").config == tiny_eg3d().config


def test_a_download_that_is_no_eg3d_is_kept_and_named(server, tmp_path, capsys, monkeypatch):
    server.content = pickle.dumps({"weights": [1.0, 2.0]}, protocol=4)
    entry = registry.MODELS[NAME]
    published = dataclasses.replace(entry.published, num_bytes=0, sha256="", stated_by="")
    monkeypatch.setitem(registry.MODELS, NAME, dataclasses.replace(entry, published=published))
    assert main(["download", NAME, "--accept-licence"]) == 2
    shown = capsys.readouterr()
    assert "no public page states the hash" in shown.err
    assert hashlib.sha256(server.content).hexdigest() in shown.err
    assert shown.err.splitlines()[-1].startswith("triptych: ")
    assert "Traceback" not in shown.err
    assert os.listdir(tmp_path / "models") == [f"{NAME}.pkl"]
