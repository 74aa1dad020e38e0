"""Pickles put together instruction by instruction."""

from __future__ import annotations

import io
import struct
import zipfile

STOP = b"."


def glob(module: str, name: str) -> bytes:
    """Name something."""
    return b"c" + f"{module}\n{name}\n".encode()


def stack_glob(module: str, name: str) -> bytes:
    """Name something, as protocol 4 does."""
    return text(module) + text(name) + b"\x93"


def text(value: str) -> bytes:
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def raw(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def number(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def group(*items: bytes) -> bytes:
    """Make a tuple."""
    return b"(" + b"".join(items) + b"t"


def sequence(*items: bytes) -> bytes:
    """Make a list."""
    return b"](" + b"".join(items) + b"e"


def table(**items: bytes) -> bytes:
    """Make a dictionary."""
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def call(function: bytes, *arguments: bytes) -> bytes:
    """Call something."""
    return function + group(*arguments) + b"R"


def keep(index: int) -> bytes:
    """Remember the last value and take it away."""
    return b"q" + bytes([index]) + b"0"


def kept(index: int) -> bytes:
    return b"h" + bytes([index])


def legacy_file(content: bytes, keys: bytes = sequence(), data: bytes = b"") -> bytes:
    """Make a file of torch's old format around a pickled object."""
    facts = table(little_endian=b"\x88", protocol_version=number(1001))
    magic = number(0x1950A86A20F9469CFC6C)
    parts = [magic, number(1001), facts, content, keys]
    return b"".join(b"\x80\x02" + part + STOP for part in parts) + data


def storage_id(count: int, key: str = "0", kind: str = "FloatStorage") -> bytes:
    """Point to a storage."""
    parts = text("storage"), glob("torch", kind), text(key), text("cpu"), number(count), b"N"
    return group(*parts) + b"Q"


def tensor(storage: bytes, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """Make a tensor of a storage."""
    sizes, steps = group(*map(number, shape)), group(*map(number, strides))
    function = glob("torch._utils", "_rebuild_tensor_v2")
    return call(function, storage, number(offset), sizes, steps, b"\x89", b"N")


def nested(payload: bytes) -> bytes:
    """A storage in a plain pickle, with any content."""
    return call(glob("torch.storage", "_load_from_bytes"), raw(payload))


def float_storage(count: int, claimed: int | None = None) -> bytes:
    """A storage in a plain pickle; it may claim another length than it has."""
    claimed = count if claimed is None else claimed
    data = struct.pack("<q", claimed) + bytes(4 * count)
    return nested(legacy_file(storage_id(claimed), sequence(text("0")), data))


def inside_zip(content: bytes) -> bytes:
    """A torch archive whose pickle is replaced."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/data/0", bytes(16))
    return stream.getvalue()


def array(shape: bytes, kind: str, content: bytes, order: bytes = b"\x89") -> bytes:
    """Make a numpy array."""
    start = call(
        glob("numpy.core.multiarray", "_reconstruct"),
        glob("numpy", "ndarray"),
        group(number(0)),
        raw(b"b"),
    )
    return start + group(number(1), shape, dtype(kind), order, content) + b"b"


def dtype(kind: str) -> bytes:
    made = call(glob("numpy", "dtype"), text(kind), b"\x89", b"\x88")
    state = group(number(3), text("<"), b"N", b"N", b"N", number(-1), number(-1), number(0))
    return made + state + b"b"
