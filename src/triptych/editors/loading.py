"""Finding an image editor by the name that a user gives."""

from __future__ import annotations

from pathlib import Path

from triptych.editors.files import OFFICIAL_EDITOR
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.files import sha256_of
from triptych.weights.registry import MODELS, find_present

OFFICIAL_NAME = "instruct-pix2pix"


def load_editor(name_or_folder: str | Path) -> InstructPix2PixEditor:
    """Load an editor.

    Args:
        name_or_folder: A name from `triptych models`; "instruct-pix2pix", which is downloaded when
            it is not here; or a folder in diffusers' format.

    Raises:
        UserError: There is no such editor, or its files are missing or broken.
    """
    name = str(name_or_folder)
    if name == OFFICIAL_NAME:
        return InstructPix2PixEditor.from_pretrained(OFFICIAL_EDITOR, allow_download=True)
    if name in MODELS:
        return InstructPix2PixEditor.from_pretrained(find_present(name, "editor"), name=name)
    return InstructPix2PixEditor.from_pretrained(name)


def editor_hash(name_or_folder: str | Path) -> str:
    """Return the SHA-256 of an editor's files, for records.

    Args:
        name_or_folder: A name from `triptych models`, or a folder.

    Raises:
        UserError: There is no such editor here.
    """
    name = str(name_or_folder)
    if name not in MODELS and Path(name).is_dir():
        return sha256_of(name)
    find_present(name, "editor")
    return MODELS[name].sha256()
