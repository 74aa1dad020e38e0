"""Export of a trained editor as a folder in diffusers' format, in half precision."""

from __future__ import annotations

import copy
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from triptych.config import to_dict
from triptych.editors.files import EDITOR_FILE, FORMAT_VERSION
from triptych.editors.image_editor import EditorConfig
from triptych.errors import UserError
from triptych.files import read_json, sha256_of, write_json
from triptych.training.editor.vae import save_vae

MAX_EDITOR_BYTES = 45_000_000
_PATH_SETTINGS = ("_name_or_path", "is_local", "local_files_only")


@dataclass(frozen=True)
class EditorToExport:
    """The parts of a trained editor."""

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any
    config: EditorConfig


def export_editor(
    editor: EditorToExport,
    out: str | Path,
    *,
    provenance: dict[str, Any],
    metrics: dict[str, float],
) -> None:
    """Write the editor; the folder appears whole or not at all and replaces an older one.

    `InstructPix2PixEditor.from_pretrained` opens it, and so does diffusers' own
    `StableDiffusionInstructPix2PixPipeline.from_pretrained`.

    Args:
        editor: The parts; they are copied, not changed.
        out: Folder to write.
        provenance: Provenance of the editor.
        metrics: Its last evaluation.

    Raises:
        UserError: The editor is too large to be embedded, or `out` is no editor.
    """
    target = Path(out)
    if target.exists() and not (target / EDITOR_FILE).is_file():
        raise UserError(f"{target} exists and is not an editor; choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _save_parts(editor, temporary)
        _check_size(temporary)
        record = {
            "format_version": FORMAT_VERSION,
            "config": to_dict(editor.config),
            "provenance": provenance,
            "metrics": metrics,
            "sha256": _hashes(temporary),
        }
        write_json(temporary / EDITOR_FILE, record)
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _save_parts(editor: EditorToExport, folder: Path) -> None:
    _half(editor.unet).save_pretrained(str(folder / "unet"))
    save_vae(_half(editor.vae), folder / "vae")
    _half(editor.text_encoder).save_pretrained(str(folder / "text_encoder"))
    editor.tokenizer.save_pretrained(str(folder / "tokenizer"))
    editor.scheduler.save_pretrained(str(folder / "scheduler"))
    write_json(folder / "model_index.json", _model_index(editor))
    _drop_paths(folder)
    for path in folder.rglob("*"):
        # safetensors writes files that only their owner may read.
        path.chmod(0o755 if path.is_dir() else 0o644)


def _drop_paths(folder: Path) -> None:
    """Drop the settings that name folders of this computer."""
    for path in folder.glob("*/*config.json"):
        settings = read_json(path)
        kept = {name: value for name, value in settings.items() if name not in _PATH_SETTINGS}
        write_json(path, kept)


def _half(module: Any) -> Any:
    """Return a copy in half precision and in plain memory order."""
    half = copy.deepcopy(module).to(memory_format=torch.contiguous_format).requires_grad_(False)
    for parameter in half.parameters():
        parameter.data = parameter.data.to(torch.float16)
    return half


def _model_index(editor: EditorToExport) -> dict[str, Any]:
    """Return the table by which diffusers finds the class of each part."""
    return {
        "_class_name": "StableDiffusionInstructPix2PixPipeline",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", type(editor.scheduler).__name__],
        "text_encoder": ["transformers", type(editor.text_encoder).__name__],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", type(editor.unet).__name__],
        "vae": ["diffusers", type(editor.vae).__name__],
    }


def _check_size(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MAX_EDITOR_BYTES:
        raise UserError(
            f"the editor takes {size / 1e6:.1f} MB; expected at most "
            f"{MAX_EDITOR_BYTES / 1e6:.0f} MB; use fewer unet_channels"
        )


def _hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file by its path inside the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
