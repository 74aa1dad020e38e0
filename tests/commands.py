"""Running the command line inside the test process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from triptych.cli.main import main
from triptych.export.video import save_turntable
from triptych.runs import portrait_results


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on stderr; fails if there are more, or a traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert lines[0].startswith("triptych: ")
        return lines[0]


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys, tmp_path, monkeypatch) -> Run:
    """Return a function that runs a command in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def command(*words: str | Path) -> Outcome:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return command


@pytest.fixture
def quick_results(monkeypatch) -> None:
    """Make videos of four frames and coarse meshes."""
    make_results_quick(monkeypatch)


def make_results_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the same where there are no fixtures."""
    monkeypatch.setattr(portrait_results, "NUM_FRAMES", 4)
    film = save_turntable.__wrapped__
    monkeypatch.setattr(film, "__kwdefaults__", film.__kwdefaults__ | {"num_frames": 4, "size": 32})
    coarse = {"resolution": 24, "level": None}
    monkeypatch.setattr("triptych.export.mesh.portrait_mesh.__wrapped__.__kwdefaults__", coarse)
