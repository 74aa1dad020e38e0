from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from triptych.ops import kernel_cache


def fingerprint(package: Path, monkeypatch) -> str:
    monkeypatch.setattr(kernel_cache, "_PACKAGE", package)
    kernel_cache._fingerprint.cache_clear()
    try:
        return kernel_cache._fingerprint()
    finally:
        kernel_cache._fingerprint.cache_clear()


@pytest.mark.parametrize("changed", ["ops/kernel_math.py", "render/ray_kernels.py"])
def test_a_change_in_any_kernel_renames_all(tmp_path, monkeypatch, changed):
    package = kernel_cache._PACKAGE
    for source in (*package.glob("*/*_kernels.py"), package / "ops" / "kernel_math.py"):
        copy = tmp_path / source.relative_to(package)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(source, copy)
    before = fingerprint(tmp_path, monkeypatch)
    assert fingerprint(tmp_path, monkeypatch) == before
    (tmp_path / changed).write_text((tmp_path / changed).read_text() + "# changed\n")
    assert fingerprint(tmp_path, monkeypatch) != before


def test_the_name_on_disk_carries_the_fingerprint(tmp_path):
    from triptych.ops.activation_kernels import activate_rows

    assert activate_rows.py_func.__qualname__ == f"activate_rows_{kernel_cache._fingerprint()}"
    values = np.array([[[1.0, -1.0]]], np.float32)
    zeros = np.zeros((1, 1), np.float32)
    activate_rows(0, 1, values, np.zeros(2, np.float32), zeros, np.float32(9), values)
    assert values[0, 0].tolist() == pytest.approx([1.0, -0.2])
