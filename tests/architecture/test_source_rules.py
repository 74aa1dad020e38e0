"""What no source file may contain."""

from __future__ import annotations

import ast
import re

import pytest
from source_tree import FILES, imported_modules, module_name, tree_of

LONGEST_FILE = 400
_DEVICE_NAME = re.compile(r"\bcuda\b", re.IGNORECASE)
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:tmp|home|root|work)/|\.\./shared")
_UNSAFE_LOADERS = {("pickle", "load"), ("pickle", "loads"), ("pickle", "Unpickler")}


def calls_in(tree):
    """Yield (line, dotted name) of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def violations(file) -> list[str]:
    """Return what a file does that it should not, with line numbers."""
    found = []
    text = file.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if _DEVICE_NAME.search(line):
            found.append(f"{number}: names a device kind")
        if _MACHINE_PATH.search(line):
            found.append(f"{number}: path of a machine")
        if not line.isascii():
            found.append(f"{number}: not ASCII")
    tree = tree_of(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"{node.lineno}: bare except")
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            found.append(f"{node.lineno}: NotImplementedError")
        if isinstance(node, ast.FunctionDef):
            found += [f"{node.lineno}: {wrong}" for wrong in _signature_faults(node)]
    for call, name in calls_in(tree):
        if name == "print":
            found.append(f"{call.lineno}: print")
        if name.startswith("sys.path."):
            found.append(f"{call.lineno}: edits sys.path")
        if name == "torch.load" and not _is_safe_load(call):
            found.append(f"{call.lineno}: torch.load without weights_only=True")
        if tuple(name.split(".")) in _UNSAFE_LOADERS:
            found.append(f"{call.lineno}: unpickles")
    for line, name in imported_modules(file):
        if name.split(".")[0] == "torchvision":
            found.append(f"{line}: torchvision")
    return found


def _signature_faults(function: ast.FunctionDef) -> list[str]:
    faults = []
    arguments = function.args
    for default in [*arguments.defaults, *arguments.kw_defaults]:
        if isinstance(default, ast.List | ast.Dict | ast.Set):
            faults.append(f"{function.name} has a mutable default")
    if function.name == "__init__" and arguments.kwarg is not None:
        faults.append("a constructor takes **kwargs")
    return faults


def _is_safe_load(call: ast.Call) -> bool:
    return any(
        keyword.arg == "weights_only"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in call.keywords
    )


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_source_keeps_the_rules(file):
    assert violations(file) == []


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_file_is_short(file):
    length = len(file.read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST_FILE, f"{length} lines; split it by concept"


@pytest.mark.parametrize(
    "text",
    [
        "print('x')",
        "try:\n    pass\nexcept:\n    pass",
        "def f(x=[]):\n    pass",
        "class A:\n    def __init__(self, **kwargs):\n        pass",
        "import torch\ntorch.load('x')",
        "import pickle\npickle.load(open('x'))",
        "import sys\nsys.path.append('x')",
        "import torchvision",
        "raise NotImplementedError",
        "device = 'cuda:0'",
    ],
)
def test_the_rules_catch(text, tmp_path):
    file = tmp_path / "sample.py"
    file.write_text(text)
    assert violations(file)
