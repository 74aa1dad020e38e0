"""Lower rooms of the house never import higher ones, and systems never import each other."""

from __future__ import annotations

from pathlib import Path

from source_tree import FILES, SOURCE, imported_modules, module_name

GROUND = (
    "errors",
    "seeds",
    "arguments",
    "config",
    "json_text",
    "temporaries",
    "files",
    "folder_lock",
    "planned_folder",
    "camera",
    "framing",
    "progress",
)
"""Files of the ground, lowest first; each imports itself and those before it."""

LAYERS = (
    set(GROUND),
    {"ops"},
    {"fields", "nn"},
    {"render"},
    {"models"},
    {"weights"},
    {"portrait"},
    {"avatars", "metrics", "export"},
    {"photos", "editors"},
    {"training", "runs"},
    {"systems"},
    {"cli", "studio", "__init__", "__main__"},
)
"""From the ground up; a room imports itself and lower layers, never a room beside it."""

TOP = {"cli", "studio", "__init__", "__main__"}
"""These import each other too."""


def room_of(module: str) -> str:
    """Return the part of the package that a dotted name belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def layer_of(room: str) -> int:
    """Return the number of a room's layer."""
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


def may_import(room: str, other: str) -> bool:
    """Say whether a room may import another."""
    if room == other or {room, other} <= TOP:
        return True
    if room in GROUND and other in GROUND:
        # `files` reads JSON with the errors of the configs beside it.
        return GROUND.index(other) < GROUND.index(room)
    return layer_of(other) < layer_of(room)


def imports() -> list[tuple[Path, int, str]]:
    """Return file, line and name of everything of this package that is imported somewhere."""
    return [
        (file, line, name)
        for file in FILES
        for line, name in imported_modules(file)
        if name.startswith("triptych.") and name != "triptych.__version__"
    ]


def test_no_file_imports_a_higher_room():
    wrong = [
        f"{file.relative_to(SOURCE)}:{line} imports {name}"
        for file, line, name in imports()
        if not may_import(room_of(module_name(file)), room_of(name))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_has_a_rule_and_every_rule_a_room():
    rooms = {
        path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))
    }
    ruled = set().union(*LAYERS)
    assert rooms <= ruled
    assert ruled <= rooms


def test_systems_do_not_import_each_other():
    inside = [entry for entry in imports() if entry[0].is_relative_to(SOURCE / "systems")]
    assert inside, "no system imports anything: the rule looks in the wrong place"
    wrong = [
        f"{file.relative_to(SOURCE)}:{line} imports {name}"
        for file, line, name in inside
        if name.startswith("triptych.systems.")
        and name.split(".")[2] != file.relative_to(SOURCE / "systems").parts[0]
    ]
    assert not wrong, "\n".join(wrong)


def test_detectors_know_nothing_of_what_is_built_on_them():
    detectors = SOURCE / "photos" / "detectors"
    inside = [entry for entry in imports() if entry[0].is_relative_to(detectors)]
    assert inside, "no detector imports anything: the rule looks in the wrong place"
    wrong = [
        f"{file.relative_to(SOURCE)}:{line} imports {name}"
        for file, line, name in inside
        if name.startswith("triptych.photos.") and name.split(".")[2] != "detectors"
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_do_not_import_in_circles():
    modules = {module_name(file) for file in FILES}
    imported: dict[str, set[str]] = {module: set() for module in modules}
    for file, _, name in imports():
        target = name if name in modules else name.rpartition(".")[0]
        if target in modules and target != module_name(file):
            imported[module_name(file)].add(target)
    without_circle: set[str] = set()
    while ready := {m for m in modules - without_circle if imported[m] <= without_circle}:
        without_circle |= ready
    assert not modules - without_circle
