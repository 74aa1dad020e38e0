"""What no source file may contain: one test per rule, over all files."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from source_tree import FILES, SOURCE, imported_modules, tree_of

Finding = tuple[int, str]
LONGEST_FILE = 400


def lines_with(pattern: str) -> Callable[[Path], Iterator[Finding]]:
    """Return a rule that finds the lines on which a pattern occurs."""

    def rule(file: Path) -> Iterator[Finding]:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if found := re.search(pattern, line):
                yield number, repr(found[0])

    return rule


def calls_of(pattern: str) -> Callable[[Path], Iterator[Finding]]:
    """Return a rule that finds calls of functions with such a dotted name."""

    def rule(file: Path) -> Iterator[Finding]:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.Call) and re.fullmatch(pattern, ast.unparse(node.func)):
                yield node.lineno, ast.unparse(node)

    return rule


def too_long(file: Path) -> Iterator[Finding]:
    length = len(file.read_text(encoding="utf-8").splitlines())
    if length > LONGEST_FILE:
        yield length, "lines; split it by concept"


def bare_except(file: Path) -> Iterator[Finding]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "except:"


def mutable_default(file: Path) -> Iterator[Finding]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef):
            for default in [*node.args.defaults, *node.args.kw_defaults]:
                if isinstance(default, ast.List | ast.Dict | ast.Set):
                    yield node.lineno, node.name


def open_constructor(file: Path) -> Iterator[Finding]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__" and node.args.kwarg:
            yield node.lineno, f"**{node.args.kwarg.arg}"


def unsafe_load(file: Path) -> Iterator[Finding]:
    for line, call in calls_of(r"torch\.load")(file):
        if "weights_only=True" not in call:
            yield line, call


def torchvision(file: Path) -> Iterator[Finding]:
    for line, name in imported_modules(file):
        if name.split(".")[0] == "torchvision":
            yield line, name


def device_kind(file: Path) -> Iterator[Finding]:
    if file != SOURCE / "runs" / "device.py":  # it reads --device; all others follow their inputs
        yield from lines_with(r"(?i)\bcuda\b")(file)


# Each rule with a sample that breaks it.
RULES = {
    "no kind of device is named": (device_kind, "device = 'cuda:0'"),
    "no path of a machine": (
        lines_with(r"(?<![\w.])/(?:tmp|home|root|work)/|\.\./shared"),
        "folder = '/home/me'",
    ),
    "ASCII only": (lines_with(r"[^\x00-\x7f]"), "name = 'na\u00efve'"),
    "no bare except": (bare_except, "try:\n    pass\nexcept:\n    pass"),
    "no NotImplementedError": (
        lines_with(r"\bNotImplementedError\b"),
        "raise NotImplementedError",
    ),
    "no mutable default": (mutable_default, "def f(*, x=[]):\n    pass"),
    "constructors name their arguments": (
        open_constructor,
        "class A:\n    def __init__(self, **kwargs):\n        pass",
    ),
    "no print": (calls_of("print"), "print('x')"),
    "sys.path is left alone": (calls_of(r"sys\.path\..*"), "import sys\nsys.path.append('x')"),
    "torch.load reads weights only": (unsafe_load, "torch.load('x', weights_only=False)"),
    "nothing is unpickled": (
        calls_of(r"pickle\.(load|loads|Unpickler)"),
        "import pickle\npickle.load(open('x'))",
    ),
    "no torchvision": (torchvision, "from torchvision import ops"),
    "files are short": (too_long, "x = 1\n" * (LONGEST_FILE + 1)),
}


@pytest.mark.parametrize("name", RULES)
def test_source_keeps_the_rule(name, tmp_path):
    rule, breach = RULES[name]
    sample = tmp_path / "sample.py"
    sample.write_text(breach, encoding="utf-8")
    assert list(rule(sample)), "the rule finds nothing where it is broken"
    wrong = [
        f"{file.relative_to(SOURCE)}:{line}: {what}" for file in FILES for line, what in rule(file)
    ]
    assert not wrong, "\n".join(wrong)
