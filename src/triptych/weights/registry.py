"""The models that this package knows by name: embedded and official ones."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from triptych.errors import UserError
from triptych.files import sha256_of, user_cache_folder
from triptych.weights.network_kinds import KINDS
from triptych.weights.published import (
    EG3D_FILES,
    EG3D_LICENCE,
    EG3D_LICENCE_PAGE,
    EG3D_PAGE,
    PublishedFile,
)

if TYPE_CHECKING:
    from triptych.models.eg3d_config import EG3DConfig

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"
_TRIPTYCH_PAGE = "docs/training.md"


@dataclass(frozen=True)
class ModelEntry:
    """One model.

    Attributes:
        name: Its name on the command line.
        kind: What it does; one of `KINDS`.
        origin: "embedded": inside the package; "official": published by others.
        file: File or folder name where the model is kept.
        licence: Terms of use.
        page: Page of its publisher.
        licence_page: Page with the terms of use; empty for embedded models.
        repository: Repository of the Hugging Face hub that `triptych download` fetches.
        published: The file that an official model is converted from.
    """

    name: str
    kind: str
    origin: Literal["embedded", "official"]
    file: str
    licence: str
    page: str
    licence_page: str = ""
    repository: str | None = None
    published: PublishedFile | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.name}: got kind '{self.kind}'; expected one of {KINDS}")

    @property
    def path(self) -> Path:
        """The file or folder of the model; it need not exist."""
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
        return self.published.num_bytes if self.published else 0

    def expected_config(self) -> EG3DConfig | None:
        """Configuration that an official generator is known to have; None for other models."""
        from triptych.models.eg3d_config import OFFICIAL_CONFIGS

        return OFFICIAL_CONFIGS[self.name]() if self.name in OFFICIAL_CONFIGS else None

    def sha256(self) -> str:
        """Hash of the file, or of all files of the folder; empty when the model is absent."""
        return sha256_of(self.path) if self.path.exists() else ""


def _embedded(name: str, kind: str, file: str) -> ModelEntry:
    return ModelEntry(name, kind, "embedded", file, "Apache-2.0", _TRIPTYCH_PAGE)


def _eg3d(name: str) -> ModelEntry:
    return ModelEntry(
        name,
        "generator",
        "official",
        f"{name}.safetensors",
        EG3D_LICENCE,
        EG3D_PAGE,
        EG3D_LICENCE_PAGE,
        published=EG3D_FILES[name],
    )


_ENTRIES = (
    _embedded("avatar-generator", "generator", "avatar-generator.safetensors"),
    _embedded("avatar-i2t", "image-to-triplane", "avatar-i2t.safetensors"),
    _embedded("avatar-features", "features", "avatar-features.safetensors"),
    _embedded("avatar-classifier", "features", "avatar-classifier.safetensors"),
    _embedded("avatar-editor", "editor", "avatar-editor"),
    _embedded("avatar-landmarks", "landmarks", "avatar-landmarks.safetensors"),
    _embedded("avatar-psp", "encoder", "avatar-psp.safetensors"),
    _embedded("avatar-psp-baseline", "encoder", "avatar-psp-baseline.safetensors"),
    _embedded("avatar-composer", "region-generator", "avatar-composer.safetensors"),
    _embedded("avatar-edit", "portrait-encoder", "avatar-edit.safetensors"),
    _embedded("avatar-styler", "example-styler", "avatar-styler.safetensors"),
    *(_eg3d(name) for name in EG3D_FILES),
    ModelEntry(
        name="instruct-pix2pix",
        kind="editor",
        origin="official",
        file="instruct-pix2pix",
        licence="MIT; Stable Diffusion base: CreativeML OpenRAIL-M",
        page="https://huggingface.co/timbrooks/instruct-pix2pix",
        licence_page="https://huggingface.co/timbrooks/instruct-pix2pix",
        repository="timbrooks/instruct-pix2pix",
    ),
)
MODELS: dict[str, ModelEntry] = {entry.name: entry for entry in _ENTRIES}


def find(name: str, kind: str | None = None) -> ModelEntry:
    """Return the entry of a model.

    Args:
        name: As in `triptych models`.
        kind: What the model must do; any by default.

    Raises:
        UserError: There is no model of this name (the closest is suggested) and kind.
    """
    candidates = [entry.name for entry in MODELS.values() if kind in (None, entry.kind)]
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


def find_present(name: str, kind: str | None = None) -> Path:
    """Return the file or folder of a model.

    Raises:
        UserError: There is no such model, or it is not on this machine; the message says how to
            get it.
    """
    entry = find(name, kind)
    if entry.path.exists():
        return entry.path
    if entry.origin == "embedded":
        raise UserError(
            f"the embedded model '{name}' is missing from this installation ({entry.path}); "
            f"name a file of your own, train it (see {entry.page}), or install a release with it"
        )
    raise UserError(
        f"the official model '{name}' is not on this machine; it comes from {entry.page} "
        f"under the {entry.licence}; {how_to_get(entry)}"
    )


def how_to_get(entry: ModelEntry) -> str:
    """Return the command that makes an official model usable by name."""
    by_name = f"get it with: triptych download {entry.name} --accept-licence"
    if entry.published is None:
        return by_name
    if not entry.published.addresses:
        return f"{entry.published.remark}; {by_hand(entry)}"
    return f"{by_name}; {by_hand(entry)}"


def by_hand(entry: ModelEntry) -> str:
    """Return what to do with a browser where a download by name fails."""
    assert entry.published is not None
    file, page = entry.published.name, entry.page
    convert = f"triptych convert {file} {entry.path} --accept-licence"
    if not entry.published.addresses:
        return f"if you have {file}, convert it with: {convert}"
    return f"or fetch {file} with a browser from {page} and convert it with: {convert}"


def weight_file(name_or_path: str | Path, kind: str) -> Path:
    """Return the file of a model given by name or by path; an existing file comes first.

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
