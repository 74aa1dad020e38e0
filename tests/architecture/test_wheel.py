"""The wheel holds all that the commands need and works outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST_WHEEL_MB = 95


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The package, built from a copy of what the checkout tracks."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", source / "src", ignore=leave_out)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir"]
    _run(sys.executable, "-m", "pip", "wheel", *options, str(built), str(source))
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """Programs of an environment that holds the wheel and borrows the packages it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    programs = folder / "bin"
    options = ["--no-deps", "--no-index", "--quiet"]
    _run(sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", *options,
         str(wheel))  # fmt: skip
    # A borrowed folder's own path files are not read, so the checkout stays invisible.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n")
    return programs


def _run(*command: str, cwd: Path | None = None) -> str:
    """Run a program that sees no source folder and return what it says."""
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_is_small_and_whole(wheel):
    assert wheel.stat().st_size < LARGEST_WHEEL_MB * 1e6
    packed = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "triptych"
    expected = {
        file.relative_to(package.parent).as_posix()
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.name != "README.md"
    }
    assert expected <= packed
    others = {name.partition("/")[0] for name in packed} - {"triptych"}
    assert len(others) == 1, others  # the metadata
    assert others.pop().endswith(".dist-info")


@pytest.mark.thorough
def test_installed_package_makes_a_portrait(environment, tmp_path):
    program = (
        "import triptych; print(triptych.__file__);"
        "head = triptych.GeneratePipeline.from_pretrained('avatar')(7);"
        "head.save('head.safetensors');"
        "print(head.render(size=16, path='exact').image.shape)"  # compiles nothing
    )
    said = _run(str(environment / "python"), "-c", program, cwd=tmp_path).splitlines()
    assert Path(said[0]).is_relative_to(environment.parent)
    assert said[1] == "torch.Size([1, 3, 16, 16])"
    assert (tmp_path / "head.safetensors").stat().st_size > 100_000


@pytest.mark.slow
def test_installed_command_generates_a_portrait(environment, tmp_path):
    _run(str(environment / "triptych"), "generate", "--seeds", "7", "--out", "people", cwd=tmp_path)
    assert list(tmp_path.glob("people/*.safetensors"))
    assert list(tmp_path.glob("people/*.png"))
