"""The models this package knows by name: embedded ones and official ones."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from triptych.errors import UserError
from triptych.files import sha256_of, user_cache_folder

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"
Kind = Literal["generator", "image-to-triplane", "features", "editor"]

_EG3D_LICENCE = "NVIDIA Source Code License for EG3D (non-commercial)"
_EG3D_PAGE = "https://catalog.ngc.nvidia.com/orgs/nvidia/teams/research/models/eg3d"
_TRIPTYCH_PAGE = "docs/training.md"


@dataclass(frozen=True)
class ModelEntry:
    """One model.

    Attributes:
        name: What users call it.
        kind: What it does.
        origin: "embedded": inside the package; "official": published by others.
        file: File or folder name where the model is kept.
        licence: Under which terms it may be used.
        page: Where it comes from.
        repository: Hub repository that is downloaded when the model is asked for by name.
        published_bytes: Size of an official model's download; 0 if unknown or embedded.
    """

    name: str
    kind: Kind
    origin: Literal["embedded", "official"]
    file: str
    licence: str
    page: str
    repository: str | None = None
    published_bytes: int = 0

    @property
    def path(self) -> Path:
        """Where the model is, or would be."""
        folder = EMBEDDED_FOLDER if self.origin == "embedded" else user_cache_folder() / "models"
        return folder / self.file

    def present(self) -> bool:
        """Whether the model can be used without a download."""
        if self.repository is not None and not self.path.exists():
            return _is_in_hub_cache(self.repository)
        return self.path.is_file() or (self.path / "model_index.json").is_file()

    def num_bytes(self) -> int:
        """Bytes on disk; for an absent official model, bytes to download (0 if unknown)."""
        if self.path.is_file():
            return self.path.stat().st_size
        if self.path.is_dir():
            return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        return self.published_bytes

    def sha256(self) -> str:
        """Hash of the file, or of all files of the folder; empty when there is none here."""
        if self.path.is_file():
            return sha256_of(self.path)
        digest = hashlib.sha256()
        files = sorted(file for file in self.path.rglob("*") if file.is_file())
        for file in files:
            name = file.relative_to(self.path).as_posix()
            digest.update(f"{name} {sha256_of(file)}\n".encode())
        return digest.hexdigest() if files else ""


def _embedded(name: str, kind: Kind, file: str) -> ModelEntry:
    return ModelEntry(name, kind, "embedded", file, "Apache-2.0", _TRIPTYCH_PAGE)


def _eg3d(name: str) -> ModelEntry:
    file = f"{name}.safetensors"
    return ModelEntry(name, "generator", "official", file, _EG3D_LICENCE, _EG3D_PAGE)


_ENTRIES = (
    _embedded("avatar-generator", "generator", "avatar-generator.safetensors"),
    _embedded("avatar-i2t", "image-to-triplane", "avatar-i2t.safetensors"),
    _embedded("avatar-features", "features", "avatar-features.safetensors"),
    _embedded("avatar-classifier", "features", "avatar-classifier.safetensors"),
    _embedded("avatar-editor", "editor", "avatar-editor"),
    _eg3d("ffhq512-64"),
    _eg3d("ffhq512-128"),
    _eg3d("ffhqrebalanced512-64"),
    _eg3d("ffhqrebalanced512-128"),
    _eg3d("afhqcats512-128"),
    _eg3d("shapenetcars128-64"),
    ModelEntry(
        name="instruct-pix2pix",
        kind="editor",
        origin="official",
        file="instruct-pix2pix",
        licence="MIT; Stable Diffusion base: CreativeML OpenRAIL-M",
        page="https://huggingface.co/timbrooks/instruct-pix2pix",
        repository="timbrooks/instruct-pix2pix",
    ),
)
MODELS: dict[str, ModelEntry] = {entry.name: entry for entry in _ENTRIES}


def find(name: str, kind: Kind | None = None) -> ModelEntry:
    """Return the entry of a model.

    Args:
        name: As in `triptych models`.
        kind: What the model must do; any by default.

    Raises:
        UserError: There is no model of this name (the closest is suggested) and kind.
    """
    candidates = [entry.name for entry in _ENTRIES if kind in (None, entry.kind)]
    if name in candidates:
        return MODELS[name]
    if name in MODELS:
        raise UserError(
            f"model '{name}' is of kind {MODELS[name].kind}; expected kind {kind}: "
            f"one of {', '.join(candidates)}"
        )
    close = difflib.get_close_matches(name, candidates, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(candidates)}"
    raise UserError(f"there is no model or file '{name}'; {hint}")


def find_present(name: str, kind: Kind | None = None) -> Path:
    """Return where a model is.

    Raises:
        UserError: There is no such model, or it is not on this machine; the message says where to
            get it and where to put it.
    """
    entry = find(name, kind)
    if entry.path.exists():
        return entry.path
    if entry.origin == "embedded":
        raise UserError(
            f"the embedded model '{name}' is missing from this installation ({entry.path}); "
            f"install triptych again, or train it: see {entry.page}"
        )
    if entry.repository is not None:
        raise UserError(
            f"the official model '{name}' is not on this machine; it comes from {entry.page} "
            f"({entry.licence}) and is downloaded only where it is asked for by name"
        )
    raise UserError(
        f"the official model '{name}' is not on this machine; it comes from {entry.page} "
        f"under the {entry.licence}; this version has no converter for it yet; a converted file "
        f"would belong at {entry.path}"
    )


def weight_file(name_or_path: str | Path, kind: Kind) -> Path:
    """Return the file of a model given by name or by file; an existing file wins.

    Raises:
        UserError: It is neither.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    looks_like_a_path = path.suffix == ".safetensors" or len(path.parts) > 1
    if isinstance(name_or_path, Path) or looks_like_a_path:
        raise UserError(f"there is no file {path}")
    return find_present(name_or_path, kind)


def _is_in_hub_cache(repository: str) -> bool:
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(repository, "model_index.json")
    return isinstance(found, str)
