"""Which of the studio's tabs work on this machine, and the words that are suggested."""

from __future__ import annotations

import importlib.util
from typing import Any

from triptych.errors import UserError
from triptych.files import read_json
from triptych.runs.portrait_formats import FORMATS
from triptych.weights.registry import MODELS

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
        "regions": is_here("avatar-composer"),
        "export": True,
        "gallery": True,
    }


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
        "formats": {name: entry.title for name, entry in FORMATS.items() if entry.is_offered},
    }
