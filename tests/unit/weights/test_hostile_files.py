"""Hostile files: nothing in them runs, nothing hangs, and each gets one clear line."""

from __future__ import annotations

import builtins
import copyreg
import gzip
import importlib
import io
import os
import pickle
import socket
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from eg3d_pickles import EG3DWriter, derived_file, eg3d_pickle, rendering_options, tiny_eg3d
from exhausting_pickles import ARCHIVES, CONTRADICTORY, EXHAUSTING, MALFORMED, UNREADABLE
from hostile_pickles import (
    EXTENSIONS,
    HIDDEN,
    RUNS_CODE,
    RUNS_CODE_IN_TORCH,
    with_source_text,
)
from safetensors.torch import save_file

from triptych.errors import UserError
from triptych.weights.conversion import open_checkpoint, save_converted
from triptych.weights.eg3d_checkpoint import open_eg3d_checkpoint
from triptych.weights.untrusted import untrusted_file
from triptych.weights.untrusted.untrusted_file import read_untrusted

SECONDS = 10.0
"""Of processor time: no file may take longer; most take milliseconds."""


@pytest.fixture
def canary(tmp_path) -> Path:
    """A file that exists only if something ran."""
    return tmp_path / "ran"


@pytest.fixture
def extensions() -> Iterator[None]:
    """Entries of Python's registry of pickle extensions."""
    for module, name, code in EXTENSIONS:
        copyreg.add_extension(module, name, code)
    yield
    for module, name, code in EXTENSIONS:
        copyreg.remove_extension(module, name, code)


def clear(canary: Path) -> None:
    assert canary.exists(), "the payload is harmless: it proves nothing"
    canary.rmdir() if canary.is_dir() else canary.unlink()


def refused(path: Path, content: bytes) -> str:
    """Write a file, see that it is refused in time in one line, and return the line."""
    path.write_bytes(content)
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        open_eg3d_checkpoint(path)
    assert time.process_time() - started < SECONDS
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) < 1000
    return message


@pytest.mark.parametrize("name", RUNS_CODE)
def test_what_python_would_run_does_not_run(tmp_path, canary, extensions, name):
    content = RUNS_CODE[name](canary)
    with suppress(Exception):
        pickle.loads(content)
    clear(canary)
    refused(tmp_path / "hostile.pkl", content)
    assert not canary.exists()


@pytest.mark.parametrize("name", RUNS_CODE_IN_TORCH)
def test_what_torch_would_run_does_not_run(tmp_path, canary, name):
    content = RUNS_CODE_IN_TORCH[name](canary)
    with suppress(Exception):
        torch.load(io.BytesIO(content), weights_only=False)
    clear(canary)
    assert "do not trust" in refused(tmp_path / "hostile.pt", content)
    assert not canary.exists()


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_in_a_checkpoint_is_named_and_refused(tmp_path, canary, extensions, name):
    message = refused(tmp_path / "hostile.pkl", HIDDEN[name](canary))
    assert "asks Python to run" in message
    assert "do not trust" in message
    assert not canary.exists()


def test_stored_source_text_is_not_run(tmp_path, canary):
    path = tmp_path / "hostile.pkl"
    path.write_bytes(with_source_text(canary))
    assert open_eg3d_checkpoint(path).build()
    assert not canary.exists()


def test_the_names_are_looked_up_nowhere(tmp_path, monkeypatch):
    def forbidden(*arguments, **keywords):
        raise AssertionError("imported something for a file")

    path = tmp_path / "hostile.pkl"
    path.write_bytes(b"\x80\x04cno_such_module_at_all\nthing\n)R.")
    read_untrusted(path)  # everything it needs is imported now
    monkeypatch.setattr(importlib, "import_module", forbidden)
    monkeypatch.setattr(builtins, "__import__", forbidden)
    found = read_untrusted(path).content
    monkeypatch.undo()
    assert (found.module, found.name, found.arguments) == ("no_such_module_at_all", "thing", ())


@pytest.mark.parametrize("name", EXHAUSTING)
def test_what_would_exhaust_the_machine_is_refused(tmp_path, name):
    refused(tmp_path / "hostile.pkl", b"\x80\x04" + EXHAUSTING[name]() + b".")


@pytest.mark.parametrize("name", UNREADABLE)
def test_values_that_are_not_what_they_say_are_not_read(tmp_path, name):
    path = tmp_path / "hostile.pkl"
    path.write_bytes(b"\x80\x04" + UNREADABLE[name]() + b".")
    value = read_untrusted(path).content
    with pytest.raises(UserError):
        value.array() if "array" in name else value.read()


@pytest.mark.parametrize("name", CONTRADICTORY)
def test_contradictions_are_refused_while_reading(tmp_path, name):
    path = tmp_path / "hostile.pkl"
    path.write_bytes(b"\x80\x04" + CONTRADICTORY[name]() + b".")
    with pytest.raises(UserError, match="cannot be read"):
        read_untrusted(path)


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_contradict_themselves_are_refused(tmp_path, name):
    path = tmp_path / "hostile.pt"
    path.write_bytes(ARCHIVES[name]())
    with pytest.raises(UserError, match="cannot be read"):
        read_untrusted(path)


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_checkpoint_is_refused(tmp_path, name):
    refused(tmp_path / "hostile.pkl", MALFORMED[name])


@cache
def file_contents() -> dict[str, tuple[bytes, str]]:
    """Contents of other kinds of files, and what they are called."""
    whole = eg3d_pickle(tiny_eg3d())
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, np.arange(4))
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("pickle"), io.BytesIO())
    return {
        "empty": (b"", "is empty"),
        "one byte": (b"\x80", "cut off"),
        "gzip": (gzip.compress(whole), "a gzip archive"),
        "bzip2": (b"BZh91AY&SY", "a bzip2 archive"),
        "xz": (b"\xfd7zXZ\x00", "an xz archive"),
        "text": (b"These are words, not weights.\n", "a text; expected a checkpoint"),
        "web page": (b"<!doctype html><html>", "a web page"),
        "JSON": (b'{"error": "not found"}', "a JSON text"),
        "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        "PNG": (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        "program": (b"\x7fELF\x02\x01", "a program"),
        "array": (array.getvalue(), "a numpy array"),
        "tar": (archive.getvalue(), "a tar archive"),
        "zeros": (bytes(4096), "not a checkpoint"),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("empty", "one byte", "gzip", "bzip2", "xz", "text", "web page", "JSON", "LFS pointer"),
        *("PNG", "program", "array", "tar", "zeros"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path, name):
    content, said = file_contents()[name]
    assert said in refused(tmp_path / "hostile.pkl", content)


@pytest.mark.parametrize("form", ["pickle", "archive", "old"])
def test_a_checkpoint_with_a_hole_behind_it_is_refused_before_it_is_hashed(
    tmp_path, monkeypatch, form
):
    monkeypatch.setattr(untrusted_file, "sha256_of", lambda path: pytest.fail("was hashed"))
    path = tmp_path / "hostile.pkl"
    ours = tiny_eg3d()
    if form == "pickle":
        path.write_bytes(eg3d_pickle(ours))
    else:
        torch.save(derived_file(ours), path, _use_new_zipfile_serialization=form == "archive")
    whole = path.read_bytes()
    hole = 3 << 30
    if form == "archive":  # its directory is at the end
        directory = int.from_bytes(whole[-6:-2], "little")
        path.write_bytes(whole[:directory])
        with open(path, "r+b") as stream:
            stream.seek(directory + hole)
            stream.write(whole[directory:-6] + (directory + hole).to_bytes(4, "little") + b"\0\0")
    else:
        os.truncate(path, len(whole) + hole)
    started = time.process_time()
    with pytest.raises(UserError, match="bytes of the file belong to nothing in it|cannot be read"):
        open_checkpoint(path)
    assert time.process_time() - started < SECONDS
    os.truncate(path, 10 << 30)
    with pytest.raises(UserError, match="larger than any checkpoint"):
        open_checkpoint(path)


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), 1e300])
def test_numbers_in_settings_that_no_checkpoint_has_are_refused(tmp_path, value):
    writer, ours = EG3DWriter(), tiny_eg3d()
    for name in ("box_warp", "ray_end", "c_scale", "depth_resolution", "avg_camera_radius"):
        options = {**rendering_options(ours.config), name: value}
        content = writer.dumps({"G_ema": writer.generator(ours, rendering_kwargs=options)})
        assert name in refused(tmp_path / "hostile.pkl", content)


def test_too_many_samples_are_refused(tmp_path):
    writer, ours = EG3DWriter(), tiny_eg3d()
    options = {**rendering_options(ours.config), "depth_resolution": 16384}
    content = writer.dumps({"G_ema": writer.generator(ours, rendering_kwargs=options)})
    assert "RenderConfig.num_coarse" in refused(tmp_path / "hostile.pkl", content)


def test_a_complex_spread_of_labels_is_left_out(tmp_path):
    writer, ours = EG3DWriter(), tiny_eg3d()
    network = writer.generator(ours)
    network.register_buffer("dataset_label_std", torch.full((25,), 1 + 2j))
    (tmp_path / "a.pkl").write_bytes(writer.dumps({"G_ema": network}))
    assert "label_std" not in open_checkpoint(tmp_path / "a.pkl").provenance
    network.renderer.plane_axes = torch.full((3, 3, 3), 1j)
    content = writer.dumps({"G_ema": network})
    assert "plane axes" in refused(tmp_path / "hostile.pkl", content)


def test_weights_of_absurd_size_are_not_converted(tmp_path):
    ours = tiny_eg3d()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.fill_(3e38)
    (tmp_path / "a.pkl").write_bytes(eg3d_pickle(ours))
    converted = open_checkpoint(tmp_path / "a.pkl")
    with pytest.raises(UserError, match="finite numbers of ordinary size"):
        save_converted(converted, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_safetensors_file_is_named(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.pkl")
    with pytest.raises(UserError, match="a safetensors file; expected a checkpoint"):
        open_eg3d_checkpoint(tmp_path / "a.pkl")


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path must be short
    listener.bind("socket")
    os.chdir(here)
    for name in ("pipe", "socket", "."):
        with pytest.raises(UserError, match="it is not a file"):
            open_eg3d_checkpoint(tmp_path / name)
    listener.close()
    with pytest.raises(UserError, match="it is not a file"):
        open_eg3d_checkpoint("/dev/zero")
    with pytest.raises(UserError, match="No such file"):
        open_eg3d_checkpoint(tmp_path / "absent")


def cuts(length: int) -> list[int]:
    """Lengths to cut a file to: near both ends and all through it."""
    return [1, 2, 3, 17, 60, 300, *range(1000, length, length // 12), length - 9, length - 1]


@pytest.mark.parametrize("form", ["pickle", "archive", "old"])
def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path, form):
    ours = tiny_eg3d()
    stream = io.BytesIO()
    if form == "pickle":
        stream.write(eg3d_pickle(ours))
    else:
        newer = form == "archive"
        torch.save(derived_file(ours), stream, _use_new_zipfile_serialization=newer)
    whole = stream.getvalue()
    for length in cuts(len(whole)):
        refused(tmp_path / "cut.pkl", whole[:length])
