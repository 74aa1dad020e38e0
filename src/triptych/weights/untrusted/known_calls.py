"""The calls that the reader evaluates itself; every other call in a file stays inert."""

from __future__ import annotations

import re
import sys

from triptych.weights.untrusted.inert import GlobalName
from triptych.weights.untrusted.numpy_values import NUMPY_CALLS
from triptych.weights.untrusted.pickle_state import KnownCall
from triptych.weights.untrusted.plain_calls import PLAIN_CALLS
from triptych.weights.untrusted.tensor_values import TENSOR_CALLS
from triptych.weights.untrusted.torch_legacy import LEGACY_CALLS

KNOWN_CALLS: dict[str, KnownCall] = {**PLAIN_CALLS, **NUMPY_CALLS, **TENSOR_CALLS, **LEGACY_CALLS}

_PLAIN_IN_PYTHON = {
    "argparse.Namespace",
    "types.SimpleNamespace",
    "builtins.object",
    "builtins.list",
    "builtins.tuple",
    "builtins.int",
    "builtins.float",
    "builtins.bool",
    "builtins.str",
    "builtins.slice",
    "builtins.range",
    "collections.deque",
    "collections.Counter",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "datetime.timezone",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.WindowsPath",
    "pathlib.PureWindowsPath",
}
_PLAIN_IN_TORCH = re.compile(
    r"torch(\.storage)?\.\w+Storage|torch\.(b?float|complex|u?int|bool|device|Tensor)\d*(_\w+)?"
    r"|torch\.nn\.parameter\.(Parameter|Buffer)|numpy\.ndarray"
)
_MODULES_OF_PYTHON = frozenset(sys.stdlib_module_names) | {"nt", "posix", "commands", "os2"}


def is_plain(name: GlobalName) -> bool:
    """Return whether a name stands for data, as torch.load(weights_only=True) accepts it."""
    full = f"{name.module}.{name.name}"
    return (
        full in KNOWN_CALLS
        or full in _PLAIN_IN_PYTHON
        or _PLAIN_IN_TORCH.fullmatch(full) is not None
    )


def is_dangerous(name: GlobalName) -> bool:
    """Return whether no checkpoint has a reason to contain a name.

    Dangerous names are all functions and classes of Python itself except a few that hold plain
    data: a file that names `os.system` or `builtins.eval` was made to run something.
    """
    if is_plain(name) or name == GlobalName("functools", "partial"):
        return False
    # a dotted name may reach Python's modules through any other: torch.serialization, os.system
    steps = [name.module.split(".")[0], *name.name.split(".")[:-1]]
    return not _MODULES_OF_PYTHON.isdisjoint(steps)
