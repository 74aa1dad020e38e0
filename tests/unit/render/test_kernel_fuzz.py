"""No compiled kernel reads or writes outside its arrays, whatever numbers they hold.

The kernels run in a process of their own: what they do wrong ends a process at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "kernel_fuzz.py"


def run(count: int, seconds: int = 280, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(count), "0"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_any_number_is_survived(count):
    found = run(count)
    assert (found.returncode, found.stdout) == (0, f"{count} cases\n"), found.stderr[-2000:]


@pytest.mark.slow
def test_every_index_is_inside_its_array(tmp_path):
    # Compiled anew, with a check of every index, which then is an IndexError.
    found = run(3000, 3000, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    assert (found.returncode, found.stdout) == (0, "3000 cases\n"), found.stderr[-2000:]
