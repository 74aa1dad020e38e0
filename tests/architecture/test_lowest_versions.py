"""The lowest versions of its dependencies that the project allows make portraits too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("pytest>=8", "pytest-socket>=0.7", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "pyyaml")
TRIED = (
    "battery",
    "unit/portrait",
    "unit/render",
    "unit/export",
    "unit/editors",
    "cli/test_verbs.py",
)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.enable_socket
def test_lowest_versions_work(tmp_path):
    """Downloads some gigabytes: the lowest torch on the package index is the one for GPUs."""
    lowest, environment = tmp_path / "lowest.txt", tmp_path / "environment"
    _uv("pip", "compile", "--resolution", "lowest-direct", ROOT / "pyproject.toml", "-o", lowest)
    _uv("venv", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    _uv("pip", "install", "--python", python, "-r", lowest, *TOOLS)
    _uv("pip", "install", "--python", python, "--no-deps", ROOT)
    folders = [ROOT / "tests" / name for name in TRIED]
    tried = subprocess.run(
        [python, "-m", "pytest", "-n", "2", "-q", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout[-3000:]


def _uv(*words: str | Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "uv", "--no-config", "--quiet", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
