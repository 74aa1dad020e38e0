"""A call changes nothing but its work folder: no file, no connection, no state of the process."""

from __future__ import annotations

import socket
import tempfile

import pytest
from process_state import process_state
from toy_system import Reports


@pytest.fixture
def sealed(tmp_path, monkeypatch):
    """An empty home, cache, temporary and working folder, and no network; all stay empty."""
    for name in ("home", "cache", "temporary", "cwd"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "TRIPTYCH_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(socket.socket, "connect", _refuse)
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path


def _refuse(*_: object) -> None:
    raise AssertionError("a pipeline asked for the network")


def test_a_call_changes_nothing_else(system, whole, sealed):
    """Not the first call: importing other packages may leave something behind."""
    pipeline, before = system.make(), process_state()
    portrait = system.call(pipeline, work_dir=sealed / "work", progress=Reports())
    assert type(portrait) is type(whole.portrait)
    assert process_state() == before
    assert _files(sealed) == []


def _files(sealed) -> list[str]:
    outside = [path for path in sealed.rglob("*") if path.is_file()]
    return [str(path) for path in outside if not path.is_relative_to(sealed / "work")]
