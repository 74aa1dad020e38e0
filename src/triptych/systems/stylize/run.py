"""The folder of a stylize run: what was asked for, and going on after a cut."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triptych.config import to_dict
from triptych.editors.image_editor import ImageEditor
from triptych.errors import UserError
from triptych.files import make_writable_folder, read_json, write_json
from triptych.portrait import TriPlanePortrait
from triptych.systems.stylize.settings import StylizeSettings
from triptych.weights.safetensors_file import content_hash

VIEWS_FOLDER, RESUME_FOLDER = "views", "resume"
_RECORD = "request.json"
_NOT_RECORDED = ("vocabulary", "known_styles")


def request_of(
    prompt: str,
    identity: int | TriPlanePortrait,
    seed: int,
    settings: StylizeSettings,
    *,
    model: str,
    hashes: Mapping[str, str],
    editor: ImageEditor,
) -> dict[str, Any]:
    """Return everything that decides the result of a run, as JSON values."""
    if isinstance(identity, TriPlanePortrait):
        head = {**identity.provenance, "planes": content_hash({"planes": identity.planes.cpu()})}
    else:
        head = {"seed": identity}
    request = {
        "prompt": prompt,
        "identity": head,
        "seed": seed,
        "model": model,
        "model_hashes": dict(hashes),
        "editor": editor_name(editor),
        "settings": to_dict(settings),
    }
    return json.loads(json.dumps(request))


def editing_record(
    prompt: str, seed: int, editor: ImageEditor, hashes: Mapping[str, str]
) -> dict[str, Any]:
    """Return how views were edited, as JSON values."""
    settings = to_dict(editor.config)
    return {
        "prompt": prompt,
        "seed": seed,
        "editor": editor_name(editor),
        "editor_hash": hashes.get("editor", ""),
        "editor_settings": {k: v for k, v in settings.items() if k not in _NOT_RECORDED},
    }


def editor_name(editor: ImageEditor) -> str:
    """Return the editor's own name, or that of its class."""
    return str(getattr(editor, "name", type(editor).__name__))


def claim(folder: Path, request: Mapping[str, Any]) -> Path:
    """Return the folder of the run's state, made if absent.

    Raises:
        UserError: The folder belongs to another request.
    """
    resume, views = folder / RESUME_FOLDER, folder / VIEWS_FOLDER
    record = resume / _RECORD
    if not record.exists() and views.is_dir() and any(views.iterdir()):
        raise UserError(
            f"{views} holds views of an earlier run; choose another folder, or remove it"
        )
    make_writable_folder(resume)
    if record.exists():
        earlier = read_json(record)
        different = [key for key in request if earlier.get(key) != request[key]]
        if different:
            raise UserError(
                f"{folder} holds an unfinished run with another {' and '.join(different)}; "
                "choose another folder, or remove this one"
            )
    write_json(record, dict(request))
    return resume


@contextmanager
def work_folder(work_dir: str | Path | None) -> Iterator[Path]:
    """Yield the given folder, made if absent, or a temporary one."""
    if work_dir is not None:
        make_writable_folder(work_dir)
        yield Path(work_dir)
        return
    with tempfile.TemporaryDirectory(prefix="triptych-") as temporary:
        yield Path(temporary)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage took."""
    started = time.monotonic()
    yield
    seconds[stage] = round(time.monotonic() - started, 2)
