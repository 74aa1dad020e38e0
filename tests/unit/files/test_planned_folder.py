"""Folders whose contents a plan decides."""

from __future__ import annotations

import pytest

from triptych.errors import UserError
from triptych.files import enter_planned_folder, read_json

PLAN = {"count": 3, "styles": ("old", "elf")}


def test_the_same_plan_re_enters_and_keeps_the_contents(tmp_path):
    folder = tmp_path / "new" / "set"
    enter_planned_folder(folder, PLAN, contents="set", overwrite=False)
    assert read_json(folder / "plan.json") == {"count": 3, "styles": ["old", "elf"]}
    (folder / "a.png").touch()
    enter_planned_folder(folder, PLAN, contents="set", overwrite=False)
    assert (folder / "a.png").exists()


def test_another_plan_needs_overwrite_and_clears(tmp_path):
    enter_planned_folder(tmp_path, PLAN, contents="set", overwrite=False)
    (tmp_path / "a.png").touch()
    other = {**PLAN, "count": 4}
    with pytest.raises(UserError, match=r"holds another set \(a.png, ...\).*--overwrite"):
        enter_planned_folder(tmp_path, other, contents="set", overwrite=False)
    cleared: list[str] = []
    enter_planned_folder(tmp_path, other, contents="set", overwrite=True, clear=cleared.extend)
    assert cleared == ["a.png", "plan.json"]
    assert read_json(tmp_path / "plan.json")["count"] == 4


def test_other_files_are_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        enter_planned_folder(tmp_path, PLAN, contents="set", overwrite=False)
    assert not (tmp_path / "plan.json").exists()
