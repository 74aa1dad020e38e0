"""Folders of results: never half-written, never robbed of what they held."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from triptych.errors import UserError
from triptych.files import check_output_file
from triptych.runs import output_folder
from triptych.runs.output_folder import OutputFolder
from triptych.temporaries import temporary_name

NO_PROCESS = 2**22 + 1  # beyond the largest number of a Linux process
PLAN = {"verb": "test", "size": 3, "angles": (1, 2)}


def make(path: Path, content: str, plan=None, *, overwrite=False, names=("a.txt",)) -> None:
    """Carry out one run that writes its content into some files."""
    folder = OutputFolder.open(path, plan or PLAN, overwrite=overwrite)
    for name in names:
        (folder.staging / name).parent.mkdir(exist_ok=True)
        (folder.staging / name).write_text(content)
    folder.publish({"seconds": 1})


def test_results_appear_together_with_their_record(tmp_path):
    path = tmp_path / "new" / "out"
    folder = OutputFolder.open(path, PLAN)
    (folder.staging / "a.txt").write_text("new")
    assert [name for name in os.listdir(path) if not name.startswith(".")] == []
    folder.publish({"seconds": 1})
    assert sorted(os.listdir(path)) == ["a.txt", "run.json"]
    record = json.loads((path / "run.json").read_text())
    assert record["files"] == ["a.txt"]
    assert record["plan"] == {"verb": "test", "size": 3, "angles": [1, 2]}
    assert record["seconds"] == 1


def test_the_same_run_is_done_only_once(tmp_path):
    make(tmp_path / "out", "first")
    assert OutputFolder.open(tmp_path / "out", PLAN).finished
    (tmp_path / "out" / "a.txt").unlink()
    with pytest.raises(UserError, match="is not empty"):
        OutputFolder.open(tmp_path / "out", PLAN)


def test_other_results_are_not_touched_without_overwrite(tmp_path):
    make(tmp_path, "first")
    with pytest.raises(UserError, match="holds a.txt, run.json.*add --overwrite"):
        OutputFolder.open(tmp_path, {**PLAN, "size": 4})
    assert (tmp_path / "a.txt").read_text() == "first"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "run.json"]


def test_foreign_files_survive_an_overwrite(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        OutputFolder.open(tmp_path, PLAN)
    make(tmp_path, "first", overwrite=True)
    assert (tmp_path / "diary.txt").read_text() == "mine"
    assert (tmp_path / "a.txt").read_text() == "first"


def test_an_overwrite_leaves_nothing_of_the_earlier_run(tmp_path):
    make(tmp_path, "first", names=("a.txt", "b.txt", "views/0.png"))
    make(tmp_path, "second", overwrite=True, names=("a.txt", "views/1.png"))
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "run.json", "views"]
    assert os.listdir(tmp_path / "views") == ["1.png"]
    assert (tmp_path / "a.txt").read_text() == "second"


def test_earlier_results_stand_until_the_new_ones_are_complete(tmp_path):
    make(tmp_path, "first")
    folder = OutputFolder.open(tmp_path, {**PLAN, "size": 4}, overwrite=True)
    (folder.staging / "a.txt").write_text("half")
    assert (tmp_path / "a.txt").read_text() == "first"
    folder.discard()
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "run.json"]


@pytest.mark.parametrize("moves_before_failure", range(6))
def test_an_interrupted_swap_is_undone(tmp_path, monkeypatch, moves_before_failure):
    make(tmp_path, "first", names=("a.txt", "b.txt"))
    before = (tmp_path / "run.json").read_text()
    real, left = os.replace, [moves_before_failure]

    def replace(source, target):
        if ".part" not in str(source):  # the record is written atomically, by a move of its own
            left[0] -= 1
            if left[0] == -1:
                raise KeyboardInterrupt
        real(source, target)

    folder = OutputFolder.open(tmp_path, {**PLAN, "size": 4}, overwrite=True)
    for name in ("a.txt", "c.txt"):
        (folder.staging / name).write_text("second")
    monkeypatch.setattr(output_folder.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        folder.publish({})
    monkeypatch.undo()
    assert (tmp_path / "a.txt").read_text() == "first"
    assert (tmp_path / "b.txt").read_text() == "first"
    assert (tmp_path / "run.json").read_text() == before
    assert not (tmp_path / "c.txt").exists()
    assert {"a.txt", "c.txt"} <= set(os.listdir(folder.staging))


def test_a_stopped_run_is_resumed_by_the_same_plan_only(tmp_path):
    first = OutputFolder.open(tmp_path / "out", PLAN)
    assert not first.resumed
    (first.staging / "view.png").write_text("done")
    with pytest.raises(KeyboardInterrupt), first.kept_for_resuming():
        raise KeyboardInterrupt
    second = OutputFolder.open(tmp_path / "out", PLAN)
    assert second.resumed
    assert (second.staging / "view.png").read_text() == "done"
    with pytest.raises(KeyboardInterrupt), second.kept_for_resuming():
        raise KeyboardInterrupt
    other = OutputFolder.open(tmp_path / "out", {**PLAN, "size": 4})
    assert not other.resumed
    assert not first.staging.exists()


def test_what_a_stopped_clean_up_left_is_removed(tmp_path):
    make(tmp_path, "first")
    left_over = OutputFolder.open(tmp_path, PLAN).staging
    left_over.mkdir()
    (left_over / "checkpoint").write_text("x")
    assert OutputFolder.open(tmp_path, PLAN).finished
    assert not left_over.exists()


def test_dropped_entries_are_no_results(tmp_path):
    folder = OutputFolder.open(tmp_path, PLAN)
    (folder.staging / "resume").mkdir()
    (folder.staging / "resume" / "checkpoint").write_text("x")
    (folder.staging / "a.txt").write_text("x")
    folder.publish({}, drop=("resume", "absent"))
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "run.json"]


def test_a_folder_that_got_nothing_disappears(tmp_path):
    folder = OutputFolder.open(tmp_path / "out", PLAN)
    with pytest.raises(RuntimeError), folder.kept_for_resuming():
        raise RuntimeError
    assert not (tmp_path / "out").exists()


def test_what_a_stopped_run_made_is_kept(tmp_path):
    folder = OutputFolder.open(tmp_path / "out", PLAN)
    (folder.staging / "view.png").write_text("done")
    with pytest.raises(KeyboardInterrupt, match="goes on"), folder.kept_for_resuming():
        raise KeyboardInterrupt
    assert (folder.staging / "view.png").exists()


def test_a_record_that_names_files_elsewhere_is_not_believed(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text(json.dumps({"plan": {}, "files": ["../outside.txt", 3]}))
    make(out, "new", overwrite=True)
    assert outside.read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="is a file"):
        OutputFolder.open(tmp_path / "out", PLAN)


def test_single_files_are_checked_before_the_work(tmp_path):
    check_output_file(tmp_path / "new" / "a.png", (".png",), overwrite=False)
    assert (tmp_path / "new").is_dir()
    (tmp_path / "b.PNG").write_text("")
    (tmp_path / "c.png").mkdir()
    for name, message in (
        ("a.jpg", "ends in '.jpg'; expected .png"),
        ("b.PNG", "exists; choose another name or add --overwrite"),
        ("c.png", "is a folder"),
        ("b.PNG/a.png", "is a file|cannot write"),
    ):
        with pytest.raises(UserError, match=message):
            check_output_file(tmp_path / name, (".png",), overwrite=False)
    check_output_file(tmp_path / "b.PNG", (".png",), overwrite=True)


def test_the_same_run_twice_at_once_is_refused(tmp_path):
    first = OutputFolder.open(tmp_path / "out", PLAN)
    (first.staging / "a.txt").write_text("first")
    for plan in (PLAN, {**PLAN, "size": 4}):
        for overwrite in (False, True):
            with pytest.raises(UserError, match=rf"another run is writing .*process {os.getpid()}"):
                OutputFolder.open(tmp_path / "out", plan, overwrite=overwrite)
    first.publish({})
    assert (tmp_path / "out" / "a.txt").read_text() == "first"
    assert sorted(os.listdir(tmp_path / "out")) == ["a.txt", "run.json"]
    assert OutputFolder.open(tmp_path / "out", PLAN).finished


def test_a_refused_folder_is_not_locked(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        OutputFolder.open(tmp_path, PLAN)
    assert os.listdir(tmp_path) == ["diary.txt"]
    make(tmp_path, "first", overwrite=True)


def test_what_a_failed_block_leaves_is_free(tmp_path):
    with pytest.raises(RuntimeError), OutputFolder.open(tmp_path / "out", PLAN):
        raise RuntimeError
    assert not (tmp_path / "out").exists()
    make(tmp_path / "out", "first")


@pytest.mark.parametrize("moves_before_kill", range(6))
def test_a_kill_while_results_are_replaced_loses_nothing(tmp_path, monkeypatch, moves_before_kill):
    """Three moves put the earlier results aside, three the new ones in place."""
    make(tmp_path, "first", names=("a.txt", "b.txt"))
    real, left = os.replace, [moves_before_kill]

    def replace(source, target):
        if ".part" not in str(source):
            left[0] -= 1
            if left[0] < 0:  # nor does a killed process undo anything
                raise KeyboardInterrupt
        real(source, target)

    folder = OutputFolder.open(tmp_path, {**PLAN, "size": 4}, overwrite=True)
    for name in ("a.txt", "c.txt"):
        (folder.staging / name).write_text("second")
    monkeypatch.setattr(output_folder.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        folder.publish({})
    monkeypatch.undo()
    folder._lock.release()
    assert OutputFolder.open(tmp_path, PLAN).finished
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "b.txt").read_text() == "first"


def test_a_kill_after_results_were_replaced_keeps_the_new_ones(tmp_path):
    make(tmp_path, "second")
    (tmp_path / output_folder.REPLACED).mkdir()
    (tmp_path / output_folder.REPLACED / "a.txt").write_text("first")
    assert OutputFolder.open(tmp_path, PLAN).finished
    assert (tmp_path / "a.txt").read_text() == "second"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "run.json"]


def test_unfinished_files_of_a_killed_run_are_no_results(tmp_path):
    folder = OutputFolder.open(tmp_path, PLAN)
    own = temporary_name(folder.staging / "views" / "b.png")
    left = own.with_name(own.name.replace(f"-{os.getpid()}.", f"-{NO_PROCESS}."))
    left.parent.mkdir()
    left.touch()
    folder._lock.release()
    make(tmp_path, "done")
    assert list(tmp_path.rglob("*.part*")) == []
