"""A wrong type or range is one clear error before any work: nothing reported, nothing written."""

from __future__ import annotations

import dataclasses
import math
import os
import re

import pytest
from toy_system import Reports

from triptych.errors import UserError


@pytest.fixture(scope="module")
def _pipelines():
    return {}


@pytest.fixture
def pipeline(system, _pipelines):
    """A pipeline for all mistakes, which must leave it as it is."""
    if system.name not in _pipelines:
        _pipelines[system.name] = system.make()
    return _pipelines[system.name]


def test_wrong_arguments_are_refused_before_work(mistake, system, pipeline, tmp_path):
    reports = Reports()
    with pytest.raises(UserError, match=mistake.said) as refused:
        system.call(pipeline, work_dir=tmp_path / "work", progress=reports, changes=mistake.changes)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500
    assert reports.events == []
    assert os.listdir(tmp_path) == []


def test_every_setting_has_a_type_and_every_number_a_range(system):
    assert bool(system.settings) == ("settings" in system.arguments(1))
    assert [wrong for settings in system.settings for wrong in _unchecked(settings)] == []


def _unchecked(settings):
    """Yield the fields that take what is none of their values."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from _unchecked(value)
        wrong = [object(), ["a", object()]]
        if not isinstance(value, bool):
            wrong.append(True)
        if isinstance(value, int | float):
            wrong.append("7")
        if type(value) in (int, float):
            wrong += [type(value)(-1e9), math.nan]
        for bad in wrong:
            if not _refused(settings, field.name, bad):
                yield f"{type(settings).__name__}.{field.name} = {bad!r}"


def _refused(settings, name, value):
    try:
        dataclasses.replace(settings, **{name: value})
    except UserError as error:
        return name in str(error)
    return False


@pytest.fixture(scope="session")
def _commands():
    return {}


@pytest.fixture
def command(system, _commands, tmp_path_factory):
    """The toy command of a system and the folder of its files."""
    if system.name not in _commands:
        folder = tmp_path_factory.mktemp("files")
        _commands[system.name] = system.command(folder), folder
    return _commands[system.name]


def test_wrong_options_are_one_line_and_leave_nothing(command_mistake, command, run, tmp_path):
    toy, folder = command
    changes = {
        option: str(value).replace("{folder}", str(folder))
        for option, value in command_mistake.changes.items()
    }
    outcome = run(*toy.words("out", changes))
    assert outcome.code == 2
    assert outcome.out == ""
    assert re.search(command_mistake.said, outcome.complaint)
    assert os.listdir(tmp_path) == []
