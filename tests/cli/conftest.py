"""Running the command line inside the test process, on toy models."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import quick_results, run  # noqa: F401 - fixtures

from triptych.weights import save_module


@pytest.fixture(scope="session")
def model_file(tmp_path_factory, toy_generator) -> Path:
    """A generator of toy size."""
    path = tmp_path_factory.mktemp("models") / "toy.safetensors"
    save_module(path, toy_generator)
    return path


@pytest.fixture(scope="session")
def portrait_file(tmp_path_factory, ball) -> Path:
    """A portrait of a ball."""
    path = tmp_path_factory.mktemp("portraits") / "ball.safetensors"
    ball.save(path)
    return path
