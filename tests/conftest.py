"""Shared fixtures: the shared data folder, fixed threads, restored global torch state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no test may download
os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # as the commands choose, before torch is loaded
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the processor. Not a default: they inherit what the controller sets below.
    os.environ["OMP_NUM_THREADS"] = "1"

import torch
from toy_portraits import sphere_portrait, tiny_generator, tiny_portrait

from triptych.avatars.assets.pack import EMBEDDED_PACK
from triptych.models.eg3d import TriPlaneGenerator
from triptych.portrait import TriPlanePortrait

# Runs are compared bit by bit: commands keep their threads, however busy the machine is.
os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_if_there() -> Path | None:
    """Folder with reference numbers, or None."""
    folder = Path(os.environ.get("TRIPTYCH_SHARED", _BESIDE_THE_CHECKOUT))
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared(shared_if_there: Path | None) -> Path:
    """Folder with reference numbers; tests that need it skip when it is absent."""
    if shared_if_there is None:
        pytest.skip("reference data folder is not beside this checkout")
    return shared_if_there


@pytest.fixture(scope="session")
def eg3d_small(shared: Path) -> Path:
    """Reference numbers of a small EG3D generator."""
    return shared / "fixtures" / "eg3d_small"


@pytest.fixture(scope="session")
def makehuman_pack() -> Path:
    """The head asset pack from which avatars are built."""
    return EMBEDDED_PACK


@pytest.fixture(scope="session")
def toy_generator() -> TriPlaneGenerator:
    """A random avatar generator of 32 pixels."""
    return tiny_generator()


@pytest.fixture(scope="session")
def toy_portrait() -> TriPlanePortrait:
    """A portrait of the toy generator."""
    return tiny_portrait()


@pytest.fixture(scope="session")
def ball() -> TriPlanePortrait:
    """An opaque ball whose size and colours are known."""
    return sphere_portrait()


@pytest.fixture(autouse=True)
def _keep_global_torch_state():
    """A test may not leave another grad mode, dtype or random state behind."""
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_grad_enabled(grad)
    torch.set_default_dtype(dtype)
