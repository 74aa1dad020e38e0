"""Reference numbers that remember which of them were compared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

GOLDENS = Path(__file__).parent / "goldens"
_MOST_SAMPLES = 128


@dataclass(frozen=True, eq=False)
class Samples:
    """Every n-th value of a tensor along each axis: what is committed of a large reference.

    Attributes:
        shape: Of the whole tensor.
        steps: How far apart the values lie along each axis.
        values: The values.
        largest: Largest absolute value of the whole tensor.
    """

    shape: tuple[int, ...]
    steps: tuple[int, ...]
    values: Tensor
    largest: float

    @classmethod
    def of(cls, tensor: Tensor) -> Samples:
        """Sample a tensor ever more sparsely along its longest axis until few values are left."""
        shape, steps = tuple(tensor.shape), [1] * tensor.ndim
        kept = list(shape)
        while math.prod(kept) > _MOST_SAMPLES:
            axis = kept.index(max(kept))
            steps[axis] *= 2
            kept[axis] = math.ceil(shape[axis] / steps[axis])
        found = tensor[tuple(slice(None, None, step) for step in steps)]
        return cls(shape, tuple(steps), found, float(tensor.abs().max()))

    def taken_from(self, tensor: Tensor) -> Tensor:
        """Return the values of a tensor of the same shape at the places of the samples."""
        assert tuple(tensor.shape) == self.shape, f"{list(tensor.shape)} != {list(self.shape)}"
        return tensor[tuple(slice(None, None, step) for step in self.steps)]

    @property
    def is_whole(self) -> bool:
        return max(self.steps, default=1) == 1


Expected = Tensor | Samples


class ReferenceNumbers(Mapping[str, Any]):
    """Tensors by name; `unread` are those that nobody has asked for yet.

    Args:
        numbers: Whole tensors, or samples of them where the reference data are absent.
    """

    def __init__(self, numbers: Mapping[str, Expected]) -> None:
        self._numbers = dict(numbers)
        self.unread = set(self._numbers)

    @classmethod
    def read(cls, path: Path) -> ReferenceNumbers:
        """Read a .safetensors or .npz file of whole tensors."""
        if path.suffix == ".safetensors":
            return cls(load_file(path))
        with np.load(path) as file:
            arrays = {key: np.asarray(file[key]) for key in file}
        return cls({k: torch.from_numpy(a) for k, a in arrays.items() if a.dtype.kind in "fiu"})

    @classmethod
    def sampled(cls, name: str) -> ReferenceNumbers:
        """Read the committed samples of a file of reference numbers; small tensors are whole."""
        found: dict[str, Expected] = {}
        for key, entry in read_golden(name)["numbers"].items():
            values = torch.tensor(entry["values"], dtype=getattr(torch, entry["dtype"]))
            shape, steps = tuple(entry["shape"]), tuple(entry["steps"])
            kept = [math.ceil(n / s) for n, s in zip(shape, steps, strict=True)]
            samples = Samples(shape, steps, values.reshape(kept), entry["largest"])
            found[key] = samples.values if samples.is_whole else samples
        return cls(found)

    def __getitem__(self, name: str) -> Any:
        tensor = self._numbers[name]
        self.unread.discard(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def read_golden(name: str) -> dict[str, Any]:
    """Return a committed file: provenance, samples of numbers, and small facts."""
    return json.loads((GOLDENS / f"{name}.json").read_text())


BEGUN: set[str] = set()
"""Tests that have begun in this process."""


def assert_all_compared(numbers: ReferenceNumbers, request: pytest.FixtureRequest) -> None:
    """Fail when a number was never asked for; to be called by the last test of a module.

    Skips when only some of the module's tests are run, or others run them in another process.
    """
    items = [item for item in request.session.items if item.module is request.module]
    names = {item.function for item in items if item.nodeid in BEGUN}
    functions = {
        value
        for name, value in vars(request.module).items()
        if name.startswith("test_") and callable(value)
    }
    if functions - names or request.session.testsfailed:
        pytest.skip("only some of this module's tests were run")
    assert not numbers.unread
