"""The frame of the command line: help, verbs, exit codes."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triptych.cli import main as frame
from triptych.cli.main import main, one_line
from triptych.cli.verbs import VERBS
from triptych.runs.waiting_threads import wait_briefly

FROZEN = json.loads((Path(__file__).parent / "frozen_options.json").read_text())


def options_of(help_text: str) -> list[str]:
    return sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", help_text)))


def commands() -> list[str]:
    return sorted(FROZEN)


def test_every_verb_is_frozen():
    assert {command.split()[0] for command in FROZEN} == set(VERBS)


@pytest.mark.parametrize("command", commands())
def test_options_are_the_frozen_ones(run, command):
    """A changed option changes users' scripts: change frozen_options.json and the changelog."""
    shown = run(*command.split(), "--help")
    assert shown.code == 0
    assert shown.err == ""
    assert options_of(shown.out) == FROZEN[command]


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_the_overview_names_every_verb(run, words):
    shown = run(*words)
    assert shown.code == 0
    assert all(re.search(rf"^  {verb} ", shown.out, re.MULTILINE) for verb in VERBS)


def test_the_version_is_shown(run):
    assert re.fullmatch(r"triptych \d\S*\n", run("--version").out)


def test_an_unknown_verb_is_mended(run):
    outcome = run("stylise", "a bronze statue")
    assert outcome.code == 2
    assert "unknown verb 'stylise'; did you mean 'stylize'?" in outcome.complaint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("render",), "PORTRAIT"),
        (("generate",), "--out"),
        (("render", "p", "--yaw-dg", "3"), "--yaw-dg, 3; did you mean --yaw-deg"),
        (("render", "p", "--yaw-deg"), "--yaw-deg"),
        (("render", "p", "--yaw-deg", "left"), "--yaw-deg.*left"),
        (("render", "p", "q", "r"), "Unrecognized options: q, r"),
        (("generate", "--out", ""), "--out: got an empty name"),
        (("stylize", "bronze", "--out="), "--out: got an empty name"),
        (("generate", "--out", "x", "--size", "big"), "--size"),
    ],
)
def test_options_that_cannot_be_read_are_one_line(run, words, said):
    outcome = run(*words)
    assert outcome.code == 2
    assert re.search(said, outcome.complaint)
    assert f"see triptych {words[0]} --help" in outcome.complaint


@pytest.mark.parametrize("verb", ["generate", "align", "train"])
@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_leaves_nothing(run, tmp_path, verb, device):
    (tmp_path / "photo.png").touch()
    words = {
        "generate": ("--out", tmp_path / "made"),
        "align": (tmp_path / "photo.png", "--out", tmp_path / "made"),
        "train": ("generator", "--steps", 1, "--run-dir", tmp_path / "made"),
    }
    outcome = run(verb, *words[verb], "--device", device)
    assert outcome.code == 2
    assert f"--device: got '{device}'" in outcome.complaint
    assert not (tmp_path / "made").exists()


def test_a_box_becomes_a_sentence():
    box = "\n".join(
        [
            "\u256d\u2500 Unrecognized options \u2500\u2500\u256e",
            "\u2502 Unrecognized options: --a  \u2502",
            "\u2502 \u2500\u2500\u2500\u2500\u2500\u2500 \u2502",
            "\u2502 Perhaps you meant: \u2502",
            "\u2502     --b FLOAT \u2502",
            "\u2502     Help of b. \u2502",
            "\u2570\u2500\u2500\u2500\u256f",
        ]
    )
    assert one_line(box) == "Unrecognized options: --a; did you mean --b FLOAT?"
    bare = " Value error \n ----\n  Error parsing --a: 3 \n  ----\n  Argument helptext:"
    assert one_line(bare) == "Error parsing --a: 3"
    assert one_line("plain words.\nin two lines.") == "plain words. in two lines"
    assert one_line("") == "the options could not be understood"


class Failing:
    """A parsed command whose work fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def run(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "triptych: stopped; no incomplete file was left behind"),
        (KeyboardInterrupt("stopped half-way"), 130, "triptych: stopped half-way"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device; free some"),
        (OSError(errno.EDQUOT, "Quota exceeded", "x"), 2, "Quota exceeded: x; free some space"),
        (OSError(errno.EIO, "Input/output error"), 2, "the disk or its connection fails"),
    ],
)
def test_what_may_happen_any_time_is_one_line(run, monkeypatch, error, code, said):
    monkeypatch.setattr(frame, "parse", lambda *_: Failing(error))
    outcome = run("models")
    assert outcome.code == code
    assert said in outcome.complaint


def test_a_name_that_no_disk_takes_is_one_line(run):
    for words in (("render", "x" * 300), ("generate", "--out", "x" * 300)):
        outcome = run(*words)
        assert outcome.code == 2
        assert "File name too long" in outcome.complaint


def test_our_own_faults_show_where(run, monkeypatch):
    monkeypatch.setattr(frame, "parse", lambda *_: Failing(ZeroDivisionError("nil")))
    outcome = run("models")
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert "ZeroDivisionError: nil" in outcome.err
    assert "report" in outcome.err.splitlines()[-1]


def test_a_message_of_several_lines_becomes_one(run, monkeypatch):
    from triptych.errors import UserError

    monkeypatch.setattr(frame, "parse", lambda *_: Failing(UserError("a table:\n  1\n  2")))
    assert run("models").complaint == "triptych: a table: 1 2"


def test_a_reader_that_leaves_is_no_fault():
    command = f"{sys.executable} -m triptych models | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode in (0, 1)
    assert done.stderr == ""


@pytest.mark.thorough
def test_ctrl_c_leaves_nothing_half_written(tmp_path, model_file):
    folder = tmp_path / "people"
    words = ["generate", "--seeds", "0-500", "--model", str(model_file), "--out", str(folder)]
    # A background job's children are born deaf to Ctrl-C; this one must hear it.
    process = subprocess.Popen(
        [sys.executable, "-m", "triptych", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 180
    while not list(folder.glob(".unfinished-*/seed00001*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1].startswith("triptych: stopped")
    assert "Traceback" not in err
    assert os.listdir(tmp_path) == []


def test_main_reads_the_process_arguments(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["triptych", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("triptych ")


def test_threads_wait_briefly_unless_the_user_has_chosen():
    plain: dict[str, str] = {}
    wait_briefly(plain)
    assert plain == {"GOMP_SPINCOUNT": "20000"}
    for chosen in ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}):
        kept = dict(chosen)
        wait_briefly(kept)
        assert kept == chosen


def test_the_choice_is_made_before_openmp_is_loaded():
    code = (
        "import os, sys; from triptych.cli.main import main; main(['--version']);"
        "print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT",)}
    environment.pop("OMP_WAIT_POLICY", None)
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[-1] == "20000 False"
