"""The example of docs/add_a_system.md: a pipeline without a verb."""

from __future__ import annotations

from typing import Any

import torch
from example_files import load_example
from toy_system import Mistake, ToySystem

egg = load_example("egg_system")


def make(device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Any:
    hashes = {"network": "1" * 64}
    return egg.EggPipeline(egg.egg_network(), "toy", hashes=hashes).to(device, dtype)


SYSTEM = ToySystem(
    name="egg",
    make=make,
    arguments=lambda seed: {"seed": seed},
    recorded={"model": "toy", "seed": 1},
    mistakes=(
        Mistake({"seed": -1}, "seed: got -1; expected a whole number from 0 to 4294967295"),
        Mistake({"seed": "7"}, "seed: got '7'"),
        Mistake({"seed": 7.0}, "seed: got 7.0"),
    ),
)
