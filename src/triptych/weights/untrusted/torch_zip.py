"""The current format of torch.save: a zip archive with one pickle and one member per storage."""

from __future__ import annotations

from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.limits import LARGEST_PICKLE
from triptych.weights.untrusted.pickle_machine import read_pickle
from triptych.weights.untrusted.pickle_state import PickleContext
from triptych.weights.untrusted.stored_zip import StoredZip
from triptych.weights.untrusted.tensor_values import Storage, new_storage

_PICKLE = "data.pkl"


def read_torch_zip(data: memoryview, context: PickleContext) -> Any:
    """Read a file written by torch.save.

    Args:
        data: The whole file.
        context: Limits and known calls.

    Returns:
        The object, with a `StoredTensor` for each tensor.

    Raises:
        UserError: It is another kind of archive, broken, or goes beyond the limits.
    """
    archive = StoredZip(data)
    root = _root_of(archive)
    if f"{root}byteorder" in archive.names and archive.find(f"{root}byteorder")[0] != b"little":
        raise UserError("written on a machine with another byte order, which is not read")
    storages: dict[str, Storage] = {}

    def load(identifier: Any) -> Storage:
        if type(identifier) is not tuple or len(identifier) != 5 or identifier[0] != "storage":
            raise UserError("points to something else than a tensor's data")
        _, kind, key, _location, num_elements = identifier
        if type(key) is not str:
            raise UserError("points to something else than a tensor's data")
        storage = new_storage(kind, num_elements)
        if key not in storages:
            content, storage.checksum = archive.find(f"{root}data/{key}")
            storage.fill(content)
            storages[key] = storage
        known = storages[key]
        if (known.dtype, known.num_elements) != (storage.dtype, storage.num_elements):
            raise UserError("points to the same data as to two kinds of numbers")
        return known

    pickled, _ = archive.find(f"{root}{_PICKLE}")
    if len(pickled) > LARGEST_PICKLE:
        raise UserError(f"its pickle is {len(pickled):,} bytes, more than any checkpoint's")
    found, _ = read_pickle(archive.read(f"{root}{_PICKLE}"), context, persistent=load)
    return found


def _root_of(archive: StoredZip) -> str:
    """Return the top folder of the archive, with its slash."""
    pickles = [name for name in archive.names if name.split("/")[-1] == _PICKLE]
    if len(pickles) != 1:
        raise UserError("a zip archive that torch did not write; expected a checkpoint")
    root = pickles[0].removesuffix(_PICKLE)
    if f"{root}constants.pkl" in archive.names:
        raise UserError("a TorchScript program; expected a checkpoint with tensors by name")
    return root
