"""Results on stdout, everything else on stderr."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from triptych.runs import console


def test_results_and_remarks_go_to_different_streams(capsys):
    console.result("path")
    console.note("by the way")
    console.warn("careful")
    console.fail("two\nlines")
    captured = capsys.readouterr()
    assert captured.out == "path\n"
    assert captured.err == "by the way\nwarning: careful\ntriptych: two lines\n"


def test_tables_are_aligned(capsys):
    console.table(("name", "size"), [("a", "1"), ("longer", "22")])
    assert capsys.readouterr().out == "name    size\na       1\nlonger  22\n"


def test_progress_without_a_terminal_is_lines(capsys):
    with console.progress("filming", 3) as step:
        step()
        step(2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("filming: 3/3, ")
    assert captured.err.count("\n") == 1


def test_stages_say_each_when_they_are_done(capsys, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_LINE_EVERY_S", 0.0)
    with console.stages() as report:
        report("editing", 0, 2)
        report("editing", 1, 2)
        report("editing", 2, 2)
        report("fitting", 5, 5)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "editing: 0/2",
        "editing: 1/2",
        "editing: 2/2",
        "fitting: 5/5",
    ]


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (0, "editing: 0/8, 10 s"),
        (2, "editing: 2/8, 10 s, about 30 s left"),
        (8, "editing: 8/8, 10 s"),
    ],
)
def test_time_left_is_in_proportion(done, line):
    assert console.progress_line("editing", done, 8, 10.0) == line


def test_what_an_earlier_run_did_took_no_time_of_this_one():
    line = console.progress_line("fitting", 6, 10, 4.0, first=2)
    assert line == "fitting: 6/10, 4 s, about 4 s left"


def test_a_stage_that_begins_anew_begins_its_time_anew(capsys, monkeypatch):
    clock = iter([0.0, 0.0, 100.0, 200.0, 210.0])
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(console, "PLAIN_LINE_EVERY_S", 0.0)
    with console.stages() as report:
        report("fitting", 0, 10)
        report("fitting", 10, 10)
        report("fitting", 0, 10)
        report("fitting", 5, 10)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "fitting: 5/10, 10 s, about 10 s left"


def test_a_terminal_gets_bars(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with console.stages() as report:
        report("editing", 1, 2)
        report("editing", 2, 2)
    assert "editing" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()
