"""The same checks over every system of `systems/`; see `toy_system`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands import quick_results, run  # noqa: F401 - fixtures
from toy_system import Reports, ToySystem, all_systems

SYSTEMS = all_systems()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each system, or for each stage, mistake or command mistake of each.

    A test marked `thorough_if_long` is thorough for the systems whose calls are long.
    """
    makes_more_calls = metafunc.definition.get_closest_marker("thorough_if_long") is not None

    def marks_for(system: ToySystem) -> list[pytest.MarkDecorator]:
        return [pytest.mark.thorough] if makes_more_calls and system.long else []

    for argument, listed in (
        ("stage", "stages"),
        ("mistake", "mistakes"),
        ("command_mistake", "command_mistakes"),
    ):
        if argument in metafunc.fixturenames:
            cases = [
                pytest.param(system, case, marks=marks_for(system), id=f"{system}-{case}")
                for system in SYSTEMS
                for case in getattr(system, listed)
            ]
            metafunc.parametrize(("system", argument), cases, scope="session")
            return
    if "system" in metafunc.fixturenames:
        of_commands = "finished" in metafunc.fixturenames
        systems = [
            pytest.param(system, marks=marks_for(system), id=str(system))
            for system in SYSTEMS
            if not of_commands or (system.command and system.portrait_file)
        ]
        metafunc.parametrize("system", systems, scope="session")


@dataclass(frozen=True)
class Whole:
    """An uninterrupted call with seed 1.

    Attributes:
        portrait: Its portrait.
        saved: That portrait's exact file.
        reports: What was reported.
    """

    portrait: Any
    saved: bytes
    reports: Reports


Saved = Callable[[Any], bytes]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return a function that gives the bytes of a portrait's exact file."""
    path = tmp_path_factory.mktemp("saved") / "portrait.safetensors"

    def save(portrait: Any) -> bytes:
        portrait.save(path, exact=True)
        return path.read_bytes()

    return save


@pytest.fixture(scope="session")
def _whole_calls() -> dict[str, Whole]:
    return {}


@pytest.fixture
def whole(system: ToySystem, saved: Saved, _whole_calls: dict[str, Whole]) -> Whole:
    """Call each system once for all tests that only look at the result."""
    if system.name not in _whole_calls:
        reports = Reports()
        portrait = system.call(system.make(), progress=reports)
        _whole_calls[system.name] = Whole(portrait, saved(portrait), reports)
    return _whole_calls[system.name]


@pytest.fixture
def portrait_file(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a system's portrait."""
    path = tmp_path_factory.mktemp("portraits") / "portrait.safetensors"
    whole.portrait.save(path)
    return path
