"""Self-describing safetensors files: what they hold is written, read and put into networks.

The same content gives the same bytes. Every file is taken for hostile until it has been checked:
its table and header are read within limits, its numbers must be finite and of ordinary size, and
its shapes are compared with those of the network before that is built.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from triptych.config import to_dict
from triptych.errors import FileNote, UserError
from triptych.files import atomic_write
from triptych.weights.embedded_hashes import KNOWN_FILES_OF_VERSION_1
from triptych.weights.file_header import (
    FORMAT,
    FileHeader,
    hash_of,
    header_of,
    header_text,
    sealed_hash,
)
from triptych.weights.safetensors_layout import SafetensorsLayout, read_layout
from triptych.weights.tensor_fit import check_fit, shapes_of
from triptych.weights.tensor_range import check_values

MOST_NUMBERS = 2**28
"""In all tensors of a file: a gigabyte in float32. 3DpSp's published encoder has 230 million."""

Network = TypeVar("Network", bound=nn.Module)


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
    _check_size(path, _shapes(stored))
    metadata = {FORMAT: header_text(header, content_hash(stored))}
    with atomic_write(path) as stream:
        stream.write(safetensors.torch.save(stored, metadata))


def load_tensors(
    path: str | Path, class_name: str | None = None
) -> tuple[dict[str, Tensor], FileHeader]:
    """Read a file written by `save_tensors`; half-precision tensors become float32.

    A file of format version 1, whose hash leaves out the header, is noted (`FileNote`) unless it is
    one that this package is known to have come with.

    Args:
        path: The file.
        class_name: Class that the tensors must belong to; None takes any.

    Raises:
        UserError: The file is absent, broken, foreign, damaged or of another class.
    """
    import safetensors

    layout, header = _described(path)
    if class_name is not None and header.class_name != class_name:
        raise UserError(f"{path} holds a {header.class_name}; expected a {class_name}")
    if layout.unread is not None:
        name, kind = layout.unread
        raise UserError(f"{path}: {name} is stored as {kind}, which this package does not read")
    _check_size(path, layout.shapes)
    try:
        with safetensors.safe_open(str(path), framework="pt") as stream:
            stored = {name: stream.get_tensor(name) for name in layout.shapes}
    except (safetensors.SafetensorError, OverflowError, RuntimeError) as error:
        raise UserError(f"{path} is no safetensors file that can be read: {error}") from error
    _check_hash(path, header, content_hash(stored))
    half = (torch.float16, torch.bfloat16)
    tensors = {name: t.float() if t.dtype in half else t for name, t in stored.items()}
    return tensors, header


def read_header(path: str | Path) -> FileHeader:
    """Read the description of a file without its tensors; its hash is not checked.

    Raises:
        UserError: The file is absent, broken or foreign, or of a newer format.
    """
    return _described(path)[1]


def _described(path: str | Path) -> tuple[SafetensorsLayout, FileHeader]:
    layout = read_layout(path)
    if FORMAT not in layout.metadata:
        listing = _listing(list(layout.shapes))
        raise UserError(f"{path} is a safetensors file of another program ({listing})")
    return layout, header_of(layout.metadata[FORMAT], str(path))


def _check_hash(path: str | Path, header: FileHeader, content: str) -> None:
    if header.sha256 != hash_of(header, content):
        raise UserError(
            f"{path} is damaged or was changed: what it holds does not match its hash; get it again"
        )
    if header.format_version == 1 and sealed_hash(header, content) not in KNOWN_FILES_OF_VERSION_1:
        warnings.warn(
            f"{path} is of format version 1, whose hash covers the tensors alone: its settings, "
            "licence and provenance may have been changed since",
            FileNote,
            stacklevel=3,
        )


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
        UserError: A number is not finite, or is absurdly large.
    """
    check_fit(
        _shapes(module.state_dict()),
        _shapes(tensors),
        network=type(module).__name__,
        source=source,
    )
    check_values(tensors, source)
    module.load_state_dict(dict(tensors))
    module.eval().requires_grad_(False)


def built_from(build: Callable[[], Network], tensors: Mapping[str, Tensor], source: str) -> Network:
    """Build a network and fill it, having compared all shapes before memory is taken.

    Args:
        build: Makes the network of a configuration that a file names.
        tensors: By state-dict name.
        source: File they come from, for the error message.

    Raises:
        UserError: The configuration describes no network, or see `fill_module`.
    """
    try:
        expected = shapes_of(build)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{source}: its settings describe no network: {reason}") from error
    check_fit(expected, _shapes(tensors), network="network of its settings", source=source)
    network = build()
    fill_module(network, tensors, source)
    return network


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def with_halved(tensors: Mapping[str, Tensor], parts: tuple[str, ...]) -> dict[str, Tensor]:
    """Return tensors, in float16 those whose names begin with one of some texts.

    Raises:
        UserError: A value does not fit into it.
    """
    return {
        name: _halved(name, tensor, torch.float16) if name.startswith(parts) else tensor
        for name, tensor in tensors.items()
    }


def _halved(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    stored = tensor.to(dtype, copy=True, memory_format=torch.contiguous_format)
    if not torch.equal(stored.isfinite(), tensor.isfinite()):
        raise UserError(f"the values of {name} do not fit into {dtype}; store it as float32")
    return stored


def _as_stored(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    tensor = tensor.detach().cpu()
    if dtype is None or not tensor.is_floating_point():
        return tensor.contiguous()
    return _halved(name, tensor, dtype)


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


def _check_size(path: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    count = sum(math.prod(shape) for shape in shapes.values())
    if count > MOST_NUMBERS:
        raise UserError(
            f"{path}: {count:,} numbers are more than a file of triptych holds ({MOST_NUMBERS:,})"
        )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _listing(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return f"{len(names)} tensors: {shown}{', ...' if len(names) > 3 else ''}"
