"""The format of torch.save before zip archives, which plain pickles still contain.

Five pickles (a magic number, a version, facts about the machine, the object, the keys of its
storages), then for each key the number of elements and the elements.
"""

from __future__ import annotations

from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.byte_cursor import ByteCursor
from triptych.weights.untrusted.inert import Bytes, kind_of
from triptych.weights.untrusted.pickle_machine import read_pickle
from triptych.weights.untrusted.pickle_state import NOT_ANSWERED, KnownCall, PickleContext
from triptych.weights.untrusted.tensor_values import Storage, new_storage

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_LONGEST_PREFIX = 64


def is_legacy(data: memoryview) -> bool:
    """Return whether bytes begin as torch's old format does."""
    return MAGIC_NUMBER.to_bytes(10, "little") in bytes(data[:_LONGEST_PREFIX])


def read_legacy(data: memoryview, context: PickleContext) -> tuple[Any, int]:
    """Read a file, or a file in a file, of torch's old format.

    Args:
        data: All of its bytes.
        context: Limits and known calls.

    Returns:
        The object, with a `StoredTensor` for each tensor, and the position after the last of their
        numbers.

    Raises:
        UserError: It is not of that format, cut off, or goes beyond the limits.
    """
    storages = _StorageTable()
    magic, position = read_pickle(data, context)
    if magic != MAGIC_NUMBER:
        raise UserError("data of a tensor do not begin as torch writes them")
    version, position = read_pickle(data, context, position=position)
    machine, position = read_pickle(data, context, position=position)
    if version != _VERSION or type(machine) is not dict:
        raise UserError("written in a version of torch's old format that is not known")
    if machine.get("little_endian") is not True:
        raise UserError("written on a machine with another byte order, which is not read")
    found, position = read_pickle(data, context, position=position, persistent=storages.load)
    keys, position = read_pickle(data, context, position=position)
    cursor = ByteCursor(data, position)
    storages.fill(keys, cursor)
    return found, cursor.position


class _StorageTable:
    """The storages that a pickle points to by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def load(self, identifier: Any) -> Any:
        """Answer a persistent identifier."""
        if type(identifier) is tuple and identifier[:1] == ("module",) and len(identifier) == 4:
            return identifier[1]  # a class, with its source text beside it
        if type(identifier) is not tuple or len(identifier) not in (5, 6):
            raise UserError("points to something else than a tensor's data")
        tag, kind, key, _location, num_elements, *view = identifier
        if tag != "storage" or type(key) is not str or view not in ([], [None]):
            raise UserError("points to something else than a tensor's data")
        storage = new_storage(kind, num_elements)
        known = self.by_key.setdefault(key, storage)
        if (known.dtype, known.num_elements) != (storage.dtype, storage.num_elements):
            raise UserError("points to the same data as to two kinds of numbers")
        return known

    def fill(self, keys: Any, cursor: ByteCursor) -> None:
        """Find the data of every storage behind the pickles."""
        if type(keys) is not list or not all(type(key) is str for key in keys):
            raise UserError("has no list of its tensors' data")
        for key in keys:
            storage = self.by_key.get(key)
            if storage is None or storage.content is not None:
                raise UserError("lists data of tensors that it does not have, or has already")
            if cursor.number(8) != storage.num_elements:
                raise UserError("contradicts itself about the length of a tensor's data")
            storage.fill(cursor.take(storage.num_bytes))


def _load_from_bytes(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    """A storage in a plain pickle: a file of the old format inside the file."""
    if len(arguments) != 1 or not isinstance(arguments[0], Bytes):
        return NOT_ANSWERED
    found, _ = read_legacy(memoryview(arguments[0]), context.nested())
    if not isinstance(found, Storage):
        raise UserError(f"in place of a tensor's data stands {kind_of(found)}")
    return found


LEGACY_CALLS: dict[str, KnownCall] = {"torch.storage._load_from_bytes": _load_from_bytes}
