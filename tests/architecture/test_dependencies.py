"""What is installed with the package, and what an import costs."""

from __future__ import annotations

import ast
import re
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import triptych
from triptych.cli.verbs import VERBS

HEAVY = ("torch", "numpy", "diffusers", "transformers", "scipy", "skimage", "numba")
HELP_BUDGET_S = 1.0
SOURCE = Path(triptych.__file__).parent


def dependency_tree(root: str) -> set[str]:
    """Return the names of all installed packages that `root` brings, extras included."""
    seen, waiting = set(), [root]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in requirements:
            # optional parts of other packages are not installed with ours
            if "extra ==" in requirement and name != root:
                continue
            waiting.append(re.match(r"[A-Za-z0-9._-]+", requirement)[0])
    return seen


def test_torchvision_is_not_in_the_dependency_tree():
    try:
        metadata.version("triptych")
    except metadata.PackageNotFoundError:
        pytest.skip("triptych is run from its source folder, not installed")
    tree = dependency_tree("triptych")
    assert {"torch", "safetensors", "diffusers", "huggingface-hub"} <= tree
    assert "torchvision" not in tree


def third_party_imports() -> dict[str, Path]:
    """Return every foreign package that a module of this package imports, and one that does."""
    found: dict[str, Path] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], file)
    ours = {"triptych", "__future__"}
    return {k: v for k, v in found.items() if k not in ours | set(sys.stdlib_module_names)}


def test_every_imported_package_is_declared():
    """Packages of optional extras are needed by the files named here alone."""
    project = (SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    core = project.partition("dependencies = [")[2].partition("]\n")[0]
    needed = third_party_imports()
    assert {"torch", "numba", "safetensors", "platformdirs"} <= set(needed)
    sold_as = {
        "PIL": "pillow",
        "fast_simplification": "fast-simplification",
        "imageio_ffmpeg": "imageio-ffmpeg",
        "skimage": "scikit-image",
    }
    missing = {
        name: file.relative_to(SOURCE).as_posix()
        for name, file in needed.items()
        if not re.search(rf'"{sold_as.get(name, name)}[\[<>=]', core)
    }
    assert missing == {
        "fastapi": "studio/api.py",
        "lmdb": "systems/compose/data/writing.py",
        "matplotlib": "runs/point_plot.py",
        "pxr": "export/usdz.py",
        "tokenizers": "training/editor/text.py",
        "uvicorn": "studio/server.py",
    }


def modules_after(arguments: list[str]) -> set[str]:
    """Run a command in a fresh interpreter and return the heavy packages that it imported."""
    code = (
        "import sys, triptych.cli.main as m\n"
        f"code = m.main({arguments!r})\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.stderr.write('LOADED ' + ' '.join(loaded))\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_imports_nothing_heavy(verb):
    assert modules_after(["--help"] if verb is None else [verb, "--help"]) == set()


def test_help_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "triptych", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # processor time, because other programs may be running
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert spent < HELP_BUDGET_S
