"""Lower rooms of the house never import higher ones."""

from __future__ import annotations

import pytest
from source_tree import FILES, SOURCE, imported_modules, module_name

_GROUND = {"errors", "config", "files"}
_FIELDS = _GROUND | {"camera", "ops", "fields"}
_NN = _GROUND | {"camera", "ops", "nn"}
_MODELS = _FIELDS | _NN | {"framing", "render", "models"}
_PORTRAIT = _MODELS | {"weights", "portrait"}
_LEARNING = {"data", "priors"}
_PIPELINES = _PORTRAIT | _LEARNING | {"pipelines"}

MAY_IMPORT = {
    "errors": {"errors"},
    "config": _GROUND,
    "files": _GROUND,
    "camera": _GROUND | {"camera"},
    "framing": _GROUND | {"camera", "framing"},
    "ops": _GROUND | {"camera", "ops"},
    "fields": _FIELDS,
    "render": _FIELDS | {"render"},
    "nn": _NN,
    "models": _MODELS,
    "weights": _MODELS | {"weights"},
    "portrait": _PORTRAIT,
    "pipelines": _PIPELINES,
    "evaluation": _PIPELINES | {"evaluation"},
    "export": _PIPELINES | {"export"},
    "priors": _NN | {"framing", "weights", "data", "priors"},
    "data": _GROUND | {"camera", "framing", "ops", "data"},
    "training": _PORTRAIT | _LEARNING | {"training"},
}
TOP_FLOOR = {"__init__", "__main__", "cli", "studio"}
"""These may import everything."""


def room_of(module: str) -> str:
    """Return the part of the package that a dotted name belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_no_file_imports_a_higher_room(file):
    room = room_of(module_name(file))
    if room in TOP_FLOOR:
        return
    allowed = MAY_IMPORT[room]
    wrong = [
        f"line {line}: {name}"
        for line, name in imported_modules(file)
        if name.startswith("triptych.")
        and room_of(name) not in allowed
        and name != "triptych.__version__"
    ]
    assert not wrong, f"{room} may not import {wrong}"


def test_every_room_has_a_rule():
    rooms = {
        path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))
    }
    assert rooms - TOP_FLOOR <= MAY_IMPORT.keys()


def test_pipelines_do_not_import_each_other():
    wrong = []
    for file in (SOURCE / "pipelines").glob("*.py"):
        pipeline = file.stem.split("_")[0]
        for line, name in imported_modules(file):
            parts = name.split(".")
            if parts[:2] == ["triptych", "pipelines"] and parts[2].split("_")[0] != pipeline:
                wrong.append(f"{file.name}:{line}: {name}")
    assert not wrong


def test_the_rule_would_catch_an_upward_import():
    assert room_of("triptych.portrait.Portrait") not in MAY_IMPORT["models"]
    assert room_of("triptych.training.loop") not in MAY_IMPORT["pipelines"]
