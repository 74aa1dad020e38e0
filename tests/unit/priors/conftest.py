"""A tiny InstructPix2Pix for all tests of editors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import toy_editor


@pytest.fixture(scope="session")
def tiny_editor_parts() -> SimpleNamespace:
    """Random components; see `toy_editor`."""
    return toy_editor.tiny_editor_parts()
