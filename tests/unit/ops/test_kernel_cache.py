from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
from numba.core import caching

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


def twice(x):
    return 2 * x


@pytest.fixture
def notes(caplog):
    """What is said, once for each process, about the cache."""
    kernel_cache._note_once.cache_clear()
    yield caplog
    kernel_cache._note_once.cache_clear()


def test_kernels_are_kept_on_disk(tmp_path, monkeypatch, notes):
    monkeypatch.setattr(caching.config, "CACHE_DIR", str(tmp_path))
    assert kernel_cache.compiled()(twice)(3) == 6
    assert list(tmp_path.rglob("*.nbc"))
    again = kernel_cache.compiled()(twice)
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1
    assert notes.text == ""


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (caching._CacheLocator, "ensure_cache_path"),  # a read-only installation, HOME too
        (caching.IndexDataCacheFile, "save"),  # a full disk
        (caching.IndexDataCacheFile, "load"),  # a disk that cannot be read
    ],
)
def test_kernels_run_without_a_disk_and_say_so_once(tmp_path, monkeypatch, notes, owner, step):
    monkeypatch.setattr(caching.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(owner, step, no_space)
    assert kernel_cache.compiled()(twice)(3) == 6
    assert kernel_cache.compiled(fastmath=True)(twice)(4) == 8
    assert notes.text.count("compiled kernels cannot be kept on disk") == 1


def test_a_damaged_file_is_compiled_anew(tmp_path, monkeypatch, notes):
    monkeypatch.setattr(caching.config, "CACHE_DIR", str(tmp_path))
    kernel_cache.compiled()(twice)(3)
    for kept in [*tmp_path.rglob("*.nbi"), *tmp_path.rglob("*.nbc")]:
        kept.write_bytes(kept.read_bytes()[:40])
    assert kernel_cache.compiled()(twice)(3) == 6


def test_every_kernel_that_is_kept_is_kept_by_this_module():
    own = Path(kernel_cache.__file__)
    sources = [path for path in kernel_cache._PACKAGE.rglob("*.py") if path != own]
    assert not [path for path in sources if "cache=True" in path.read_text("utf-8")]
