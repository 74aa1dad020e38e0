"""What a system says about itself so that the battery can run over it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

SYSTEMS_FOLDER = Path(__file__).parent / "systems"


@dataclass(frozen=True)
class Mistake:
    """A request that must be refused.

    Attributes:
        changes: Wrong arguments of a call by name, or wrong options of a command.
        said: Pattern that the one line of the error must match.
    """

    changes: Mapping[str, Any]
    said: str

    def __str__(self) -> str:
        return " ".join(f"{name}={_short(value)}" for name, value in self.changes.items())


@dataclass(frozen=True)
class Command:
    """A command line without its `--out`.

    Attributes:
        verb: The verb.
        options: Words by option; the empty name stands for what has no option, as a prompt.
    """

    verb: str
    options: Mapping[str, Any]

    def words(self, out: str | Path, changes: Mapping[str, Any] | None = None) -> list[str]:
        """Return the words of the command line, some options changed."""
        words = [self.verb]
        for name, value in {**self.options, "--out": out, **(changes or {})}.items():
            values = value if isinstance(value, tuple) else (value,)
            words += ([name] if name else []) + [str(one) for one in values]
        return words


@dataclass(frozen=True)
class Stop:
    """Where a command is stopped: at the first report of `stage` with at least `done` done."""

    stage: str
    done: int


@dataclass(frozen=True)
class ToySystem:
    """One pipeline in miniature, its requests and its verb.

    Attributes:
        name: What the pipeline calls itself in provenance.
        make: Builds a new pipeline with random weights, the same ones each time; it takes what
            its `to` takes, a device and a dtype.
        arguments: Arguments of a call by seed; another seed is another portrait.
        stages: Stages that a call reports, in order; none for pipelines too quick to report.
        settings: What a call takes beside plain values: its settings first, then other requests.
        resumable: A call takes `work_dir` and goes on in it, and so does the command.
        kept_stages: Stages that a resumed call does not repeat; none: it goes on within its last.
        recorded: What the provenance of seed 1 says about its request, at least.
        mistakes: Wrong arguments.
        command: Writes toy models and inputs into a folder and returns the command that uses them;
            None for pipelines without a verb.
        portrait_file: The portrait that the command leaves in its output folder; empty for one
            that leaves another single file, with a test of its own.
        stop: Where the command is stopped half-way.
        command_mistakes: Wrong options.
        long: Calls or commands take a second or more; tests that make several are thorough.
    """

    name: str
    make: Callable[..., Any]
    arguments: Callable[[int], dict[str, Any]]
    recorded: Mapping[str, Any]
    mistakes: tuple[Mistake, ...]
    command: Callable[[Path], Command] | None = None
    portrait_file: str = ""
    stop: Stop | None = None
    command_mistakes: tuple[Mistake, ...] = ()
    stages: tuple[str, ...] = ()
    settings: tuple[Any, ...] = ()
    resumable: bool = False
    kept_stages: tuple[str, ...] = ()
    long: bool = False

    def __str__(self) -> str:
        return self.name

    def call(
        self,
        pipeline: Any,
        seed: int = 1,
        *,
        work_dir: Path | None = None,
        progress: Callable[[str, int, int], None] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the pipeline and return its portrait."""
        arguments = self.arguments(seed)
        if self.stages:
            arguments["progress"] = progress
        if self.resumable:
            arguments["work_dir"] = work_dir
        result = pipeline(**{**arguments, **(changes or {})})
        return getattr(result, "portrait", result)


@dataclass
class Reports:
    """Keeps what a pipeline reports, and stops it where that is asked for."""

    stop: Stop | None = None
    events: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.events.append((stage, done, total))
        if self.stop is not None and stage == self.stop.stage and done >= self.stop.done:
            raise KeyboardInterrupt


def all_systems() -> list[ToySystem]:
    """Return the system of every file in `systems/`."""
    return [_system_in(file) for file in sorted(SYSTEMS_FOLDER.glob("*.py"))]


def _system_in(file: Path) -> ToySystem:
    name = f"battery_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SYSTEM


def _short(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{value.dtype}{list(value.shape)}"
    return str(value).replace("\n", " ")[:40]
