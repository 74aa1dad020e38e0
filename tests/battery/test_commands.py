"""Every verb writes into its folder alone; stopped and given again, it ends the same."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_process import Ended, run_process, start_server
from toy_system import Command

import triptych
from triptych.portrait import Portrait

OUT = "results"


@dataclass(frozen=True)
class Finished:
    """An uninterrupted command.

    Attributes:
        command: The command; its files are in a folder that nothing may change.
        ended: How it ended.
        work: Its working folder.
        portrait: The portrait file that it left.
        changed: What it changed outside its working folder.
    """

    command: Command
    ended: Ended
    work: Path
    portrait: bytes
    changed: list[str]


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The home, cache and temporary folder of all commands."""
    folder = tmp_path_factory.mktemp("home")
    start_server(folder)
    return folder


@pytest.fixture(scope="session")
def _finished():
    return {}


@pytest.fixture
def finished(system, home, _finished, tmp_path_factory) -> Finished:
    """Run a system's command once."""
    if system.name not in _finished:
        files, work = (tmp_path_factory.mktemp(name) for name in ("files", "place"))
        command, work = system.command(files), work / "work"
        work.mkdir()
        before = _listing(files, home)
        ended = run_process(command.words(OUT), work)
        changed = sorted(_listing(files, home) ^ before)
        left = work / OUT / system.portrait_file
        portrait = left.read_bytes() if left.is_file() else b""
        _finished[system.name] = Finished(command, ended, work, portrait, changed)
    return _finished[system.name]


def _listing(*folders: Path) -> set[tuple[str, int, int]]:
    """Return path, size and time of change of every file below some folders.

    mediapipe imports matplotlib, which keeps a list of fonts in the cache folder of its user.
    """
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    found = [path for path in found if path.parent.name != "matplotlib"]
    return {(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def test_a_command_writes_into_its_folder_alone(system, finished):
    assert finished.ended.code == 0, finished.ended.err
    assert os.listdir(finished.work) == [OUT]
    assert finished.changed == []
    out = finished.work / OUT
    record = json.loads((out / "run.json").read_text())
    assert sorted(os.listdir(out)) == sorted([*record["files"], "run.json"])
    assert system.portrait_file in record["files"]


def test_a_record_says_what_was_run(system, finished):
    record = json.loads((finished.work / OUT / "run.json").read_text())
    provenance = Portrait.load(finished.work / OUT / system.portrait_file).provenance
    assert provenance["pipeline"] == system.name
    assert provenance["model_hashes"]
    assert all(len(sha256) == 64 for sha256 in provenance["model_hashes"].values())
    assert record["triptych"] == triptych.__version__
    assert {"python", "torch", "machine", "finished", "seconds", "path"} <= record.keys()
    assert record["plan"]["verb"] == finished.command.verb


@pytest.mark.thorough_if_long
def test_a_command_stopped_twice_ends_as_if_it_had_not_been(system, finished, home, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    words = finished.command.words(OUT)
    stopped = run_process(words, work, stop=system.stop, by=signal.SIGINT)
    assert stopped.code == 130
    assert stopped.err.strip().splitlines()[-1].startswith("triptych: stopped")
    assert "Traceback" not in stopped.err
    assert os.listdir(work) == ([OUT] if system.resumable else [])

    killed = run_process(words, work, stop=system.stop, by=signal.SIGKILL)
    assert killed.code == -signal.SIGKILL
    assert [name for name in os.listdir(work / OUT) if not name.startswith(".")] == []

    ended = run_process(words, work)
    assert ended.code == 0, ended.err
    assert ("going on with the run that was stopped" in ended.err) == system.resumable
    assert (work / OUT / system.portrait_file).read_bytes() == finished.portrait
    assert sorted(os.listdir(work / OUT)) == sorted(os.listdir(finished.work / OUT))
