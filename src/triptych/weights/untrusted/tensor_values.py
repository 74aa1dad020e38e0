"""Tensors and their storages in a pickle: described first, read only when asked for."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.weights.untrusted.inert import GlobalName, kind_of
from triptych.weights.untrusted.limits import MAX_DIMENSIONS, is_size
from triptych.weights.untrusted.pickle_state import NOT_ANSWERED, KnownCall, PickleContext

_DTYPES: dict[str, torch.dtype] = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
    "Untyped": torch.uint8,
}


@dataclass(eq=False)
class Storage:
    """A run of numbers of one type.

    Attributes:
        dtype: Type of the numbers; bytes for untyped storages.
        num_elements: How many the file says there are.
        content: Their bytes; None until they have been found in the file.
        checksum: CRC-32 of the bytes where the file states one.
    """

    dtype: torch.dtype
    num_elements: int
    content: memoryview | None = None
    checksum: int | None = None

    @property
    def num_bytes(self) -> int:
        """Length of the content."""
        return self.num_elements * self.dtype.itemsize

    def fill(self, content: memoryview) -> None:
        """Take the bytes.

        Raises:
            UserError: They are fewer or more than the file said.
        """
        if len(content) != self.num_bytes:
            raise UserError(
                f"a tensor's data are {len(content):,} bytes; {self.num_bytes:,} are announced"
            )
        self.content = content

    def read(self) -> memoryview:
        """Return the bytes and check their checksum, which is slow and therefore done only here.

        Raises:
            UserError: They are not in the file, or were damaged.
        """
        if self.content is None:
            raise UserError("the data of a tensor are missing from the file")
        if self.checksum is not None and zlib.crc32(self.content) != self.checksum:
            raise UserError("the data of a tensor are damaged (their checksum differs)")
        self.checksum = None
        return self.content


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor that has not been read: a view into a storage.

    Attributes:
        storage: Where its numbers are.
        dtype: Their type.
        offset: Index of the first.
        shape: Sizes.
        strides: Steps between neighbours along each dimension.
    """

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of the tensor once it is read."""
        return math.prod(self.shape) * self.dtype.itemsize

    def check(self) -> None:
        """Check that the tensor lies within its storage and does not repeat numbers.

        Raises:
            UserError: It does not.
        """
        capacity = self.storage.num_bytes // self.dtype.itemsize
        count = math.prod(self.shape)
        if not count:
            return
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        if last >= capacity or count > capacity:
            raise UserError(
                f"a tensor of shape {list(self.shape)} does not lie within its storage "
                f"of {capacity:,} numbers"
            )

    def read(self) -> Tensor:
        """Return the tensor, contiguous; its memory may be that of the file, mapped privately.

        Raises:
            UserError: It does not lie within its storage, or the storage is not in the file.
        """
        self.check()
        if not math.prod(self.shape):
            return torch.empty(self.shape, dtype=self.dtype)
        # any byte but 0 and 1 would be an undefined truth value
        is_bool = self.dtype == torch.bool
        kind = torch.uint8 if is_bool else self.dtype
        stored = self.storage.read()
        content = stored[: len(stored) // kind.itemsize * kind.itemsize]
        writable = bytearray(content) if content.readonly else content  # torch asks for it
        flat = torch.frombuffer(writable, dtype=kind)
        view = flat.as_strided(self.shape, self.strides, self.offset)
        return view != 0 if is_bool else view.contiguous()


def storage_type(name: Any) -> torch.dtype:
    """Return the type of numbers in a storage class, given by name.

    Raises:
        UserError: It is no storage class, or one of numbers that cannot be read.
    """
    if isinstance(name, GlobalName) and name.module.split(".")[0] == "torch":
        dtype = _DTYPES.get(name.name.removesuffix("Storage"))
        if dtype is not None and name.name.endswith("Storage"):
            return dtype
    raise UserError(f"a tensor's numbers are of a kind that is not read: {kind_of(name)}")


def new_storage(kind: Any, num_elements: Any) -> Storage:
    """Return a storage that is yet to be filled.

    Raises:
        UserError: The kind is not read, or the length impossible.
    """
    if not is_size(num_elements):
        raise UserError("a tensor's data have an impossible length")
    return Storage(storage_type(kind), num_elements)


def _tensor(arguments: tuple[Any, ...], dtype: torch.dtype | None) -> Any:
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, Storage):
        return NOT_ANSWERED
    if type(shape) is not tuple or type(strides) is not tuple:
        return NOT_ANSWERED
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise UserError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    if not all(is_size(number) for number in (offset, *shape, *strides)):
        raise UserError("a tensor has an impossible size, stride or offset")
    return StoredTensor(storage, dtype or storage.dtype, offset, shape, strides)


def _rebuild_tensor(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    # (storage, offset, size, stride, requires_grad, hooks, metadata); metadata tell of lazily
    # negated or conjugated numbers, which no checkpoint has
    if len(arguments) not in (4, 6, 7) or (len(arguments) == 7 and arguments[6]):
        return NOT_ANSWERED
    return _tensor(arguments, None)


def _rebuild_tensor_of_type(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    # the same with a type before the metadata
    if len(arguments) not in (7, 8) or (len(arguments) == 8 and arguments[7]):
        return NOT_ANSWERED
    kind = arguments[6]
    dtypes = {str(dtype).removeprefix("torch."): dtype for dtype in _DTYPES.values()}
    if not (isinstance(kind, GlobalName) and kind.module == "torch" and kind.name in dtypes):
        return NOT_ANSWERED
    return _tensor(arguments, dtypes[kind.name])


def _rebuild_parameter(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    known = arguments and isinstance(arguments[0], StoredTensor)
    return arguments[0] if known else NOT_ANSWERED


def _rebuild_from_type(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    # a tensor with attributes of its own: (function, class, its arguments, attributes)
    if len(arguments) != 4 or arguments[0] != GlobalName("torch._utils", "_rebuild_tensor_v2"):
        return NOT_ANSWERED
    inner = arguments[2]
    return _rebuild_tensor(context, inner) if type(inner) is tuple else NOT_ANSWERED


TENSOR_CALLS: dict[str, KnownCall] = {
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v3": _rebuild_tensor_of_type,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
}
