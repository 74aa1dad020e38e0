"""Which of the studio's tabs work on this machine, and the words that are suggested."""

from __future__ import annotations

import importlib.util
from typing import Any

from triptych.errors import UserError
from triptych.files import read_json
from triptych.runs.portrait_formats import FORMATS
from triptych.weights.file_header import FORMAT, header_of
from triptych.weights.registry import MODELS
from triptych.weights.safetensors_layout import read_layout

_MODEL_OF = {"edit": "avatar-edit", "wear": "avatar-styler", "compose": "avatar-composer"}
_EDITOR_SETTINGS = "triptych_editor.json"


def is_here(model: str) -> bool:
    """Say whether an embedded model is known and on this machine."""
    return model in MODELS and MODELS[model].present()


def tabs() -> dict[str, bool]:
    """Return which tabs are shown."""
    return {
        "make": is_here("avatar-generator"),
        "style": is_here("avatar-editor") and is_here("avatar-i2t"),
        "photo": is_here("avatar-psp") or likeness_works(),
        "picture": is_here("avatar-edit") or is_here("avatar-styler"),
        "regions": bool(regions()),
        "export": True,
        "gallery": True,
    }


def check_here(kind: str) -> None:
    """Check that the model of a task that needs one more than others is on this machine.

    Raises:
        UserError: It is not.
    """
    model = _MODEL_OF.get(kind)
    if model is not None and not is_here(model):
        raise UserError(f"{kind}: its model, {model}, is not on this machine")


def regions() -> list[str]:
    """Return the regions that can be of other seeds; none without a generator of regions."""
    if not is_here(_MODEL_OF["compose"]):
        return []
    path = MODELS[_MODEL_OF["compose"]].path
    try:
        config = header_of(read_layout(path).metadata[FORMAT], str(path)).config
        return [name for name in config["regions"] if name != "background"]
    except (UserError, LookupError, TypeError):
        return []


def likeness_works() -> bool:
    """Say whether photos are lifted here: that needs mediapipe."""
    return importlib.util.find_spec("mediapipe") is not None


def words() -> list[str]:
    """Return the styles that the embedded editor knows."""
    if not is_here("avatar-editor"):
        return []
    try:
        settings = read_json(MODELS["avatar-editor"].path / _EDITOR_SETTINGS)
        known = settings["config"]["known_styles"]
    except (UserError, LookupError, TypeError):
        return []
    return [word for word in known if isinstance(word, str)]


def capabilities() -> dict[str, Any]:
    """Return what the page is built from, as JSON values."""
    return {
        "tabs": tabs(),
        "words": words(),
        "likeness": likeness_works(),
        "one_pass": is_here(_MODEL_OF["edit"]),
        "wear": is_here(_MODEL_OF["wear"]),
        "regions": regions(),
        "formats": {name: entry.title for name, entry in FORMATS.items() if entry.is_offered},
    }
