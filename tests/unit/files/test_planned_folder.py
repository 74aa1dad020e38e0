"""Folders whose contents a plan decides."""

from __future__ import annotations

import pytest

from triptych.errors import UserError
from triptych.files import read_json
from triptych.planned_folder import planned_folder

PLAN = {"count": 3, "styles": ("old", "elf")}


def enter(folder, plan, **how) -> None:
    """Enter a folder and leave it."""
    with planned_folder(folder, plan, **how):
        assert (folder / "plan.json").exists()


def test_the_same_plan_re_enters_and_keeps_the_contents(tmp_path):
    folder = tmp_path / "new" / "set"
    enter(folder, PLAN, contents="set", overwrite=False)
    assert read_json(folder / "plan.json") == {"count": 3, "styles": ["old", "elf"]}
    (folder / "a.png").touch()
    enter(folder, PLAN, contents="set", overwrite=False)
    assert (folder / "a.png").exists()


def test_another_plan_needs_overwrite_and_clears(tmp_path):
    enter(tmp_path, PLAN, contents="set", overwrite=False)
    (tmp_path / "a.png").touch()
    other = {**PLAN, "count": 4}
    with pytest.raises(UserError, match=r"holds another set \(a.png, ...\).*--overwrite"):
        enter(tmp_path, other, contents="set", overwrite=False)
    cleared: list[str] = []
    enter(tmp_path, other, contents="set", overwrite=True, clear=cleared.extend)
    assert cleared == ["a.png", "plan.json"]
    assert read_json(tmp_path / "plan.json")["count"] == 4


def test_other_files_are_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        enter(tmp_path, PLAN, contents="set", overwrite=False)
    assert not (tmp_path / "plan.json").exists()


def test_nobody_else_enters_meanwhile(tmp_path):
    with planned_folder(tmp_path, PLAN, contents="set", overwrite=False):
        for overwrite in (False, True):
            with pytest.raises(UserError, match="another run is writing to"):
                enter(tmp_path, PLAN, contents="set", overwrite=overwrite)
    enter(tmp_path, PLAN, contents="set", overwrite=False)


def test_a_folder_that_got_nothing_disappears(tmp_path):
    with planned_folder(tmp_path / "set", PLAN, contents="set", overwrite=False):
        (tmp_path / "set" / "plan.json").unlink()
    assert not (tmp_path / "set").exists()
