"""Reference numbers that remember which of them were compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor


class ReferenceNumbers(Mapping[str, Tensor]):
    """The tensors of a file; `unread` are those that nobody has asked for yet."""

    def __init__(self, path: Path) -> None:
        self._tensors = load_file(path)
        self.unread = set(self._tensors)

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._tensors[name]
        self.unread.discard(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def assert_all_compared(numbers: ReferenceNumbers, request: pytest.FixtureRequest) -> None:
    """Fail when a number was never asked for; to be called by the last test of a module.

    Skips when only some of the module's tests are run.
    """
    names = {item.function for item in request.session.items if item.module is request.module}
    functions = {
        value
        for name, value in vars(request.module).items()
        if name.startswith("test_") and callable(value)
    }
    if functions - names or request.session.testsfailed:
        pytest.skip("only some of this module's tests were run")
    assert not numbers.unread
