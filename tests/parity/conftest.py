"""Notes which parity tests have begun in this process; `assert_all_compared` reads it."""

from __future__ import annotations

import pytest
from reference_numbers import BEGUN


@pytest.fixture(autouse=True)
def _begun(request: pytest.FixtureRequest) -> None:
    BEGUN.add(request.node.nodeid)
