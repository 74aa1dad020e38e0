"""Folders in the form of the Hugging Face hub: weights, configuration and a model card.

A folder is pushed by the hub's own command (`hf upload USER/NAME FOLDER`); nothing here sends
anything. What `huggingface_hub.PyTorchModelHubMixin` leaves has the same form.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.files import atomic_write, check_empty_folder, write_json
from triptych.weights.file_header import FileHeader
from triptych.weights.loading import load_network
from triptych.weights.network_kinds import EDITOR, NETWORK_KINDS
from triptych.weights.registry import EMBEDDED_FOLDER, MODELS, find_present, weight_file
from triptych.weights.safetensors_file import read_header

WEIGHTS_FILE, CONFIG_FILE, CARD_FILE = "model.safetensors", "config.json", "README.md"
_CARDS = EMBEDDED_FOLDER / "MODELS.md"
_TASKS = {
    "features": "image-feature-extraction",
    "landmarks": "keypoint-detection",
    EDITOR: "image-to-image",
}
_OTHER_TASK = "image-to-3d"
_KIND_OF_CLASS = {kind.network: name for name, kind in NETWORK_KINDS.items()}


def save_pretrained(model: str | Path, folder: str | Path, *, overwrite: bool = False) -> None:
    """Write a model as a folder that is ready to be pushed to the hub.

    Args:
        model: A name of `triptych models`, or the file of a network.
        folder: Where to; it and its parents are made.
        overwrite: It may hold other files; those of the same names are replaced.

    Raises:
        UserError: The model is not here, or the folder cannot be written or is not empty.
    """
    target = Path(folder)
    entry = MODELS.get(str(model))
    source = Path(model) if entry is None else find_present(entry.name)
    if entry is not None and entry.kind == EDITOR:
        check_empty_folder(target, overwrite=overwrite)
        shutil.copytree(source, target, dirs_exist_ok=True)
        header = FileHeader(EDITOR, {}, entry.licence)
    else:
        source = weight_file(source, "")
        header = read_header(source)
        kind = _kind_of(header, source)
        check_empty_folder(target, overwrite=overwrite)
        with open(source, "rb") as weights, atomic_write(target / WEIGHTS_FILE) as copy:
            shutil.copyfileobj(weights, copy)
        described = {"library_name": "triptych", "kind": kind, "class": header.class_name}
        write_json(target / CONFIG_FILE, {**described, "config": header.config})
    name = source.stem if entry is None else entry.name
    page = "" if entry is None else entry.licence_page
    with atomic_write(target / CARD_FILE, "w") as card:
        card.write(model_card(name, header, licence_page=page))


def from_pretrained(source: str | Path, *, device: Any = "cpu") -> Any:
    """Return the network of such a folder.

    Args:
        source: The folder, or the name of a repository on the hub ("user/name"), whose files are
            downloaded to the hub's cache.
        device: Where it computes.

    Raises:
        UserError: There is no such folder or repository, or it holds no network of this package.
    """
    folder = Path(source) if Path(source).is_dir() else _downloaded(str(source))
    file = folder / WEIGHTS_FILE
    if not file.is_file():
        raise UserError(f"{folder} has no {WEIGHTS_FILE}; expected what save_pretrained wrote")
    return load_network(file, _kind_of(read_header(file), file), device)


def model_card(name: str, header: FileHeader, *, licence_page: str = "") -> str:
    """Return a card: the fields that the hub reads, then what a person should know.

    Args:
        name: What the model is called; for embedded ones their own text is used.
        header: What its file says of it.
        licence_page: Where its licence is, where that is not one that the hub knows.
    """
    kind = _KIND_OF_CLASS.get(header.class_name, EDITOR)
    fields: dict[str, Any] = {
        "library_name": "triptych",
        "pipeline_tag": _TASKS.get(kind, _OTHER_TASK),
        "tags": ["triptych", "3d-portrait", kind],
    }
    if header.licence == "Apache-2.0":
        fields["license"] = "apache-2.0"
    else:
        fields |= {"license": "other", "license_name": header.licence}
        fields |= {"license_link": licence_page} if licence_page else {}
    front = "\n".join(f"{key}: {json.dumps(value)}" for key, value in fields.items())
    return f"---\n{front}\n---\n\n# {name}\n\n{_words(name, header)}\n\n{_use(kind)}"


def _words(name: str, header: FileHeader) -> str:
    common, *cards = _CARDS.read_text(encoding="utf-8").split("\n## ")
    for card in cards:
        title, _, text = card.partition("\n")
        if title == name:
            return f"{text.strip()}\n\n{common.partition(chr(10))[2].strip()}"
    lines = [f"A network of the class {header.class_name}."]
    for title, record in (("How it was made", header.provenance), ("Measured", header.metrics)):
        if record:
            lines += [f"## {title}", f"```json\n{json.dumps(record, indent=2)}\n```"]
    return "\n\n".join(lines)


def _use(kind: str) -> str:
    if kind == EDITOR:
        return 'Use it by its folder: `triptych stylize "a bronze statue" --editor FOLDER`.\n'
    return (
        "```python\nfrom triptych.weights.hub_folder import from_pretrained\n\n"
        'network = from_pretrained("USER/NAME")  # or a folder\n```\n\n'
        f"Every command that takes a model takes the file `{WEIGHTS_FILE}` too.\n"
    )


def _kind_of(header: FileHeader, source: Path) -> str:
    if header.class_name not in _KIND_OF_CLASS:
        raise UserError(f"{source} holds a {header.class_name}; expected a network")
    return _KIND_OF_CLASS[header.class_name]


def _downloaded(repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(repository, allow_patterns=[WEIGHTS_FILE, CONFIG_FILE])
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"there is no folder {repository}, nor can a repository of that name be had from the "
            f"hub: {reason}"
        ) from error
    return Path(found)
