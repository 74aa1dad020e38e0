"""A command in a process of its own: no network, an empty home, and stopped by a real signal.

The processes are forked from one server that has imported what commands import, since importing
takes longer than any toy command does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import NoReturn

import pytest
from commands import make_results_quick
from toy_system import Stop

_SERVER = multiprocessing.get_context("forkserver")
_IMPORTED = (
    "triptych.cli.main",
    "triptych.systems.stylize.pipeline",
    "triptych.systems.compose.job",
    "triptych.systems.invert.job",
    "triptych.systems.lift.job",
    "torch._dynamo",  # which every optimiser imports
    "diffusers.models.autoencoders.autoencoder_tiny",
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.schedulers.scheduling_ddim",
    "transformers.models.clip.modeling_clip",
    "transformers.models.clip.tokenization_clip",
)
_LONGEST_S = 120


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (minus the signal that killed it) and its stderr."""

    code: int | None
    err: str


def start_server(home: Path) -> None:
    """Start the server; home, caches and temporary files of its processes are in one folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CACHE_HOME", "TRIPTYCH_CACHE", "TMPDIR"):
            patch.setenv(name, str(home))
        _SERVER.set_forkserver_preload(list(_IMPORTED))
        forkserver.ensure_running()


def run_process(
    words: list[str], work: Path, *, stop: Stop | None = None, by: int = signal.SIGINT
) -> Ended:
    """Run a command in a folder, and stop it at some place by a signal."""
    log = work.parent / "stderr.txt"
    process = _SERVER.Process(target=_run, args=(words, work, log, stop, by))
    process.start()
    process.join(_LONGEST_S)
    if process.is_alive():
        process.kill()
        process.join()
    said = log.read_text()
    log.unlink()
    return Ended(process.exitcode, said)


def _run(words: list[str], work: Path, log: Path, stop: Stop | None, by: int) -> NoReturn:
    from triptych.cli.main import main

    with log.open("w") as stream:
        os.dup2(stream.fileno(), sys.stdout.fileno())
        os.dup2(stream.fileno(), sys.stderr.fileno())
    os.chdir(work)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    patch = pytest.MonkeyPatch()
    make_results_quick(patch)
    patch.setattr(socket.socket, "connect", _refuse)
    if stop is not None:
        _stop_at(stop, by, patch)
    sys.exit(main(words))


def _refuse(*_: object) -> NoReturn:
    raise AssertionError("a command asked for the network")


def _stop_at(stop: Stop, by: int, patch: pytest.MonkeyPatch) -> None:
    """Let the process send itself a signal as soon as its progress has come so far."""
    from triptych.runs import console

    stages = console.stages

    @contextmanager
    def stopping_stages():
        with stages() as report:

            def report_and_stop(stage: str, done: int, total: int) -> None:
                report(stage, done, total)
                if stage == stop.stage and done >= stop.done:
                    os.kill(os.getpid(), by)

            yield report_and_stop

    patch.setattr(console, "stages", stopping_stages)
