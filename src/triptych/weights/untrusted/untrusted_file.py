"""Opens checkpoints of other programs without running anything in them."""

from __future__ import annotations

import gc
import mmap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from triptych.errors import UserError
from triptych.files import sha256_of
from triptych.weights.file_kinds import CHECKPOINT_KINDS, first_bytes, is_text, kind_of_file
from triptych.weights.tensor_range import check_values
from triptych.weights.untrusted.inert import GlobalName
from triptych.weights.untrusted.known_calls import KNOWN_CALLS, is_dangerous
from triptych.weights.untrusted.limits import (
    LARGEST_COPY,
    LARGEST_FILE,
    MAX_IDLE_BYTES,
    Budget,
    check_no_idle_bytes,
)
from triptych.weights.untrusted.pickle_machine import read_pickle
from triptych.weights.untrusted.pickle_state import PickleContext
from triptych.weights.untrusted.tensor_values import StoredTensor
from triptych.weights.untrusted.torch_legacy import is_legacy, read_legacy
from triptych.weights.untrusted.torch_zip import read_torch_zip

Form = Literal["pickle", "torch archive", "old torch file"]
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class UntrustedFile:
    """The contents of a file.

    Attributes:
        path: The file.
        form: "pickle": a plain one; "torch archive", "old torch file": what torch.save writes.
        num_bytes: Length of the file.
        content: Containers, numbers, text, `StoredTensor`, `NumpyArray`; all else is inert.
        names: Every class and function that the file names.
    """

    path: Path
    form: Form
    num_bytes: int
    content: Any
    names: frozenset[GlobalName]

    @cached_property
    def sha256(self) -> str:
        """Hash of the file."""
        return sha256_of(self.path)

    def refuse_dangerous_names(self) -> None:
        """Check that the file names no functions that no checkpoint needs.

        Raises:
            UserError: It does. They were not run; but a file made to run them is not to be trusted.
        """
        _refuse_dangerous_names(self.path, self.names)

    def read_tensors(
        self, stored: Mapping[str, StoredTensor], *, integers: bool = False
    ) -> dict[str, Tensor]:
        """Read tensors of the file by name.

        Args:
            stored: As the file describes them.
            integers: Whether they may hold whole numbers too.

        Raises:
            UserError: All together are more than the file, or one lies outside its storage, is of
                another type, or has numbers that are not finite.
        """
        total = sum(tensor.num_bytes for tensor in stored.values())
        if total > self.num_bytes + MAX_IDLE_BYTES:
            raise UserError(f"{self.path} unfolds to {total:,} bytes of tensors")
        read = {}
        for name, tensor in stored.items():
            try:
                read[name] = tensor.read()
            except UserError as error:
                raise UserError(f"{self.path}: {name}: {error}") from error
            if not integers and not read[name].is_floating_point():
                raise UserError(f"{self.path}: {name} does not hold numbers of the right type")
        check_values(read, str(self.path))
        return read


def read_untrusted(path: str | Path) -> UntrustedFile:
    """Read a pickle, or a file that torch.save wrote, running nothing.

    Tensors are described; their numbers stay in the file until they are asked for.

    Args:
        path: The file, of any origin.

    Raises:
        UserError: It is absent, of another kind, cut off or broken, or costs more to read than
            any checkpoint would.
    """
    file = Path(path)
    start = first_bytes(file)
    kind = kind_of_file(start)
    if kind not in (None, *CHECKPOINT_KINDS):
        raise UserError(f"{file} is {kind}; expected a checkpoint: .pkl, .pt or .pth")
    if file.stat().st_size > LARGEST_FILE:
        raise UserError(
            f"{file} is larger than any checkpoint that is converted: expected at most "
            f"{LARGEST_FILE >> 30} GB"
        )
    data = _mapped(file)
    context = PickleContext(Budget(bytes_to_copy=min(len(data), LARGEST_COPY)), KNOWN_CALLS)
    try:
        with _without_collecting_garbage():
            form, content = _read(data, context)
    except UserError as error:
        _refuse_dangerous_names(file, context.names)
        if kind is None:
            what = "a text" if is_text(start) else "not a checkpoint"
            raise UserError(
                f"{file} is {what}; expected a checkpoint: .pkl, .pt or .pth ({error})"
            ) from error
        raise UserError(f"{file} cannot be read: {error}") from error
    return UntrustedFile(file, form, len(data), content, frozenset(context.names))


def _refuse_dangerous_names(path: Path, names: Iterable[GlobalName]) -> None:
    found = sorted(str(name) for name in names if is_dangerous(name))
    if found:
        more = ", ..." if len(found) > _SHOWN else ""
        raise UserError(
            f"{path} asks Python to run {', '.join(found[:_SHOWN])}{more}, which no checkpoint "
            "needs; nothing of it was run; do not trust this file"
        )


@contextmanager
def _without_collecting_garbage() -> Iterator[None]:
    """Pause the garbage collector: with so many containers it is slower than the reading."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(data: memoryview, context: PickleContext) -> tuple[Form, Any]:
    if data[:2] == b"PK":
        return "torch archive", read_torch_zip(data, context)
    if is_legacy(data):
        found, end = read_legacy(data, context)
        check_no_idle_bytes(len(data) - end)
        return "old torch file", found
    found, end = read_pickle(data, context)
    check_no_idle_bytes(len(data) - end)
    return "pickle", found


def _mapped(file: Path) -> memoryview:
    """Map the bytes of a file; those that are never read are never loaded.

    The mapping is private and writable because tensors want writable memory; nothing is written.
    """
    try:
        with open(file, "rb") as stream:
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {file}: {error}") from error
