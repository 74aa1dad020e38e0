"""The files of an image editor: a folder of diffusers' components and the editor's settings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from triptych.config import from_dict
from triptych.editors.image_editor import EditorConfig, official_editor_config
from triptych.errors import UserError, check_range, check_whole, shown
from triptych.files import read_json, sha256_of
from triptych.ops.precision import has_fast_bfloat16
from triptych.weights.network_kinds import EDITOR
from triptych.weights.registry import MODELS, find_present
from triptych.weights.safetensors_layout import read_layout

OFFICIAL_EDITOR = "timbrooks/instruct-pix2pix"
EDITOR_FILE = "triptych_editor.json"
FORMAT_VERSION = 1

_OFFICIAL_FILES = (
    "model_index.json",
    "*/*.json",
    "tokenizer/*",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)
_LARGEST_NUMBER = 100_000
"""In settings of networks: CLIP knows 49,408 words, and nothing else comes near."""
_AUTOENCODERS = ("AutoencoderKL", "AutoencoderTiny")


@dataclass(frozen=True)
class EditorParts:
    """The loaded components of an editor and its settings.

    All are float32, but for the UNet of an official model, which has 860 million weights: where
    bfloat16 is fast it is kept in bfloat16, in half the memory and without a conversion each step.
    """

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any
    config: EditorConfig


def load_editor_parts(
    name_or_folder: str | Path, *, allow_download: bool = False, keep_float32: bool = False
) -> EditorParts:
    """Load the components of an editor from a folder or by a published name.

    A folder without `triptych_editor.json` is taken for a copy of an official model.

    Args:
        name_or_folder: Where the components are.
        allow_download: Fetch a published model that is not here.
        keep_float32: Load the UNet of an official model in float32 too.

    Raises:
        UserError: There is no such editor here, or its files are broken.
    """
    folder = editor_folder(name_or_folder, allow_download=allow_download)
    index = _read_index(folder)
    config = read_editor_config(folder)
    _check_components(folder)
    is_official = not (folder / EDITOR_FILE).is_file()
    halved = is_official and not keep_float32 and has_fast_bfloat16("cpu")
    try:
        with _quiet_transformers():
            return _load(folder, index, config, torch.bfloat16 if halved else torch.float32)
    except UserError:
        raise
    except Exception as error:  # whatever two large libraries raise over a broken or hostile file
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"the editor in {folder} cannot be loaded: {first_line}") from error


def load_text_parts(name_or_folder: str | Path) -> tuple[Any, Any, EditorConfig]:
    """Load tokenizer, text encoder and settings of an editor that is here, and nothing else.

    Args:
        name_or_folder: Name in the registry of models, or a folder.

    Raises:
        UserError: There is no such editor here, or its files are broken.
    """
    known = str(name_or_folder) in MODELS
    folder = editor_folder(find_present(str(name_or_folder), EDITOR) if known else name_or_folder)
    config = read_editor_config(folder)
    _check_components(folder)
    try:
        with _quiet_transformers():
            return *_load_text(folder), config
    except Exception as error:  # whatever a large library raises over a broken or hostile file
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"the editor in {folder} cannot be loaded: {first_line}") from error


def editor_folder(name_or_folder: str | Path, *, allow_download: bool = False) -> Path:
    """Return the folder of an editor, fetching a published one only when that is allowed.

    Raises:
        UserError: It is neither a folder nor on this computer, and may not or cannot be fetched.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    name = str(name_or_folder)
    if name.count("/") != 1 or name.startswith((".", os.sep)):
        raise UserError(
            f"no image editor at {name}; expected a folder in diffusers' format "
            f"or the name of a published model such as {OFFICIAL_EDITOR}"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(name, allow_patterns=list(_OFFICIAL_FILES), local_files_only=True)
        )
    except (OSError, ValueError):
        if not allow_download:
            raise UserError(
                f"{name} is not on this computer; it is several GB under its own licence; "
                "allow the download, give a folder that holds it, or use the embedded editor"
            ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(_OFFICIAL_FILES)))
    except (OSError, ValueError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{name} could not be downloaded: {first_line}") from error


def read_editor_config(folder: Path) -> EditorConfig:
    """Read an editor's settings and compare its weight files with the recorded hashes.

    Raises:
        UserError: The settings cannot be read, or a file is missing or damaged.
    """
    path = folder / EDITOR_FILE
    if not path.is_file():
        return official_editor_config()
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format_version") != FORMAT_VERSION:
        raise UserError(f"{path}: not an editor of format version {FORMAT_VERSION}")
    hashes = record.get("sha256", {})
    if not isinstance(hashes, dict):
        raise UserError(f"{path}: sha256: got {shown(hashes)}; expected an object")
    for name, digest in hashes.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{path} names {shown(name)}, which is outside its folder")
        if not file.is_file() or sha256_of(file) != digest:
            state = "is missing" if not file.is_file() else "is damaged"
            raise UserError(f"{file} {state}; install the editor again")
    try:
        return from_dict(EditorConfig, record.get("config", {}))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _read_index(folder: Path) -> dict[str, Any]:
    if not (folder / "model_index.json").is_file():
        raise UserError(f"no image editor in {folder}: model_index.json is missing")
    index = read_json(folder / "model_index.json")
    part = index.get("vae") if isinstance(index, dict) else None
    autoencoder = part[1] if isinstance(part, list) and len(part) == 2 else None
    if not isinstance(autoencoder, str) or autoencoder not in _AUTOENCODERS:
        expected = " or ".join(_AUTOENCODERS)
        raise UserError(
            f"{folder}: got the autoencoder class {shown(autoencoder)}; expected {expected}"
        )
    return index


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep transformers from drawing a progress bar for a file of a megabyte."""
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()


def _check_components(folder: Path) -> None:
    """Check the settings and the weights of all networks before a library builds of them.

    Raises:
        UserError: A number is larger than any such network needs, or a table of weights is broken.
    """
    for file in sorted(folder.glob("*/*config.json")):
        if file.parent.name != "tokenizer":  # its numbers build nothing
            settings = read_json(file)
            if not isinstance(settings, dict):
                raise UserError(f"{file}: got {shown(settings)}; expected an object")
            for name, value in settings.items():
                counts_layers = re.search(r"layers|_blocks$", name)
                _check_numbers(f"{file}: {name}", value, 128 if counts_layers else _LARGEST_NUMBER)
    for file in sorted(folder.glob("*/*.safetensors")):
        read_layout(file)


def _check_numbers(name: str, value: Any, most: int) -> None:
    if isinstance(value, (dict, list)):
        check_whole(f"{name}: items", len(value), 0, 1000)
        for item in value.values() if isinstance(value, dict) else value:
            _check_numbers(name, item, most)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        check_range(name, value, -most, most)


def _load(
    folder: Path, index: dict[str, Any], config: EditorConfig, unet_dtype: torch.dtype
) -> EditorParts:
    import diffusers

    def network(kind: Any, name: str, dtype: torch.dtype) -> Any:
        return kind.from_pretrained(
            str(folder / name), local_files_only=True, use_safetensors=True, torch_dtype=dtype
        )

    unet = network(diffusers.UNet2DConditionModel, "unet", unet_dtype)
    if unet.config.in_channels != 2 * unet.config.out_channels:
        raise UserError(
            f"{folder}: the UNet reads {unet.config.in_channels} channels; an image editor's reads "
            f"{2 * unet.config.out_channels}, the noisy latent and the source"
        )
    tokenizer, text_encoder = _load_text(folder)
    return EditorParts(
        unet=unet,
        vae=network(getattr(diffusers, index["vae"][1]), "vae", torch.float32),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=diffusers.DDIMScheduler.from_pretrained(
            str(folder / "scheduler"), local_files_only=True
        ),
        config=config,
    )


def _load_text(folder: Path) -> tuple[Any, Any]:
    """Return tokenizer and text encoder."""
    from transformers import CLIPTextModel, CLIPTokenizer

    text_encoder, found = CLIPTextModel.from_pretrained(
        str(folder / "text_encoder"),
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if missing := sorted(found["missing_keys"]):  # transformers would draw them at random
        raise UserError(
            f"{folder / 'text_encoder'} lacks {len(missing)} tensors of a CLIP text encoder, such "
            f"as {missing[0]}; expected the text encoder of an InstructPix2Pix"
        )
    tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    return tokenizer, text_encoder.eval()
