"""Self-describing safetensors files: class, configuration, licence, provenance, metrics.

Everything but the tensors is one JSON text in the file's metadata, so that the same content gives
the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from triptych.config import to_dict
from triptych.errors import UserError
from triptych.files import atomic_write
from triptych.weights.file_kinds import CHECKPOINT_KINDS, first_bytes, kind_of_file
from triptych.weights.tensor_fit import check_fit

FORMAT = "triptych"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class FileHeader:
    """The description that a file holds of its tensors.

    Attributes:
        class_name: Class that the tensors belong to, for instance "TriPlaneGenerator".
        config: Its configuration as JSON values.
        licence: Terms of use of the tensors.
        provenance: How they were made: recipe, data, seeds, date, other models.
        metrics: Measured values by name.
        sha256: Hash of names, types, shapes and contents of the tensors.
        format_version: Version of this layout.
    """

    class_name: str
    config: dict[str, Any]
    licence: str = "Apache-2.0"
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
    format_version: int = FORMAT_VERSION


def save_tensors(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    header: FileHeader,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write tensors and their header, atomically.

    Args:
        path: File to write; its folder must exist.
        tensors: By name.
        header: Its `sha256` is computed here.
        dtype: Store floating-point tensors as this type, for instance torch.float16.

    Raises:
        UserError: The file cannot be written, or a value does not fit into `dtype`.
    """
    import safetensors.torch

    stored = _unshared({name: _as_stored(name, t, dtype) for name, t in tensors.items()})
    fields = {"format": FORMAT, **asdict(header), "sha256": content_hash(stored)}
    metadata = {FORMAT: json.dumps(fields, sort_keys=True)}
    with atomic_write(path) as stream:
        stream.write(safetensors.torch.save(stored, metadata))


def load_tensors(
    path: str | Path, class_name: str | None = None
) -> tuple[dict[str, Tensor], FileHeader]:
    """Read a file written by `save_tensors`; half-precision tensors become float32.

    Args:
        path: The file.
        class_name: Class that the tensors must belong to; None takes any.

    Raises:
        UserError: The file is absent, broken, foreign, damaged or of another class.
    """
    header = read_header(path)
    if class_name is not None and header.class_name != class_name:
        raise UserError(f"{path} holds a {header.class_name}; expected a {class_name}")
    with _open(path) as stream:
        stored = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    if content_hash(stored) != header.sha256:
        raise UserError(f"{path} is damaged: its tensors do not match its hash; get it again")
    half = (torch.float16, torch.bfloat16)
    tensors = {name: t.float() if t.dtype in half else t for name, t in stored.items()}
    return tensors, header


def read_header(path: str | Path) -> FileHeader:
    """Read the description of a file without its tensors.

    Raises:
        UserError: The file is absent, broken or foreign, or of a newer format.
    """
    with _open(path) as stream:
        text = (stream.metadata() or {}).get(FORMAT)
        names = list(stream.keys())
    if text is None:
        raise UserError(f"{path} is a safetensors file of another program ({_listing(names)})")
    try:
        fields = json.loads(text)
        version = fields.pop("format_version")
        del fields["format"]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{path} has a header that cannot be read: {error!r}") from error
    if type(version) is int and version > FORMAT_VERSION:
        raise UserError(
            f"{path} was written by a newer triptych (format {version}, this one reads up to "
            f"{FORMAT_VERSION}): pip install --upgrade triptych"
        )
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version!r}; expected {FORMAT_VERSION}; write it again"
        )
    try:
        return FileHeader(**fields, format_version=version)
    except TypeError as error:
        raise UserError(f"{path} has an incomplete header: {error}") from error


def save_module(
    path: str | Path,
    module: nn.Module,
    *,
    licence: str = "Apache-2.0",
    provenance: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    dtype: torch.dtype | None = torch.float16,
) -> None:
    """Write a network with its configuration.

    Args:
        path: File to write; its folder must exist.
        module: Its class name and its `config` (a dataclass that builds it again) go into the
            header, its state dict into the file.
        licence: Terms of use of the weights.
        provenance: How they were made.
        metrics: Measured values by name.
        dtype: Type to store floating-point tensors as; None keeps each as it is.
    """
    header = FileHeader(
        class_name=type(module).__name__,
        config=to_dict(module.config),
        licence=licence,
        provenance=dict(provenance or {}),
        metrics=dict(metrics or {}),
    )
    save_tensors(path, module.state_dict(), header, dtype=dtype)


def load_module(path: str | Path, module: nn.Module) -> FileHeader:
    """Fill a network from a file of its class, strictly, and put it in evaluation mode.

    Raises:
        UserError: See `load_tensors` and `fill_module`.
    """
    tensors, header = load_tensors(path, type(module).__name__)
    fill_module(module, tensors, str(path))
    return header


def fill_module(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy tensors into a network; every name and shape must agree.

    Args:
        module: Put into evaluation mode, gradients off.
        tensors: By state-dict name.
        source: File they come from, for the error message.

    Raises:
        TensorsDoNotFit: Names are missing or left over, or shapes differ.
    """
    check_fit(
        {name: tensor.shape for name, tensor in module.state_dict().items()},
        {name: tensor.shape for name, tensor in tensors.items()},
        network=type(module).__name__,
        source=source,
    )
    module.load_state_dict(dict(tensors))
    module.eval().requires_grad_(False)


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _as_stored(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    tensor = tensor.detach().cpu()
    if dtype is None or not tensor.is_floating_point():
        return tensor.contiguous()
    stored = tensor.to(dtype, copy=True, memory_format=torch.contiguous_format)
    if not torch.equal(stored.isfinite(), tensor.isfinite()):
        raise UserError(f"the values of {name} do not fit into {dtype}; store it as float32")
    return stored


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that share no memory: the format cannot express shared memory."""
    seen: set[int] = set()
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage()
        if memory.nbytes() != tensor.nbytes or memory.data_ptr() in seen:
            tensors[name] = tensor.clone()
        else:
            seen.add(memory.data_ptr())
    return tensors


def _open(path: str | Path) -> Any:
    """Open a safetensors file; the error for another file says what it is."""
    import safetensors

    start = first_bytes(path)
    try:
        return safetensors.safe_open(str(path), framework="pt")
    except safetensors.SafetensorError as error:
        kind = kind_of_file(start)
        if kind in CHECKPOINT_KINDS:
            raise UserError(
                f"{path} is {kind}; expected a safetensors file; if it is a published checkpoint, "
                f"convert it first: triptych convert {path} OUT.safetensors"
            ) from error
        if kind not in (None, "a safetensors file"):
            raise UserError(f"{path} is {kind}; expected a safetensors file") from error
        raise UserError(
            f"{path} is not a whole safetensors file (cut off, or something else): {error}"
        ) from error


def _listing(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return f"{len(names)} tensors: {shown}{', ...' if len(names) > 3 else ''}"
