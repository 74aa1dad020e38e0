"""The small PStyle-3D of the reference numbers, built from the sizes in its own files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from reference_numbers import ReferenceNumbers
from rule_weights import rule
from safetensors.torch import load_file
from torch import Tensor

from triptych.models.eg3d import EG3DConfig
from triptych.systems.adapt.generator import StyledGenerator, StyledGeneratorConfig
from triptych.weights.eg3d_settings import generator_config
from triptych.weights.safetensors_file import fill_module

VALUES, GRADIENTS = 5e-5, 1e-3
"""What the reference numbers' own README suggests, relative to a tensor's largest value."""
POINT_COLOURS, IDENTITY = 2e-5, 2e-6
"""The same, absolute: colours of points, and identity losses."""

VARIANTS: dict[str, dict[str, Any]] = {
    "released": {"modres": "double", "rgb_gain": "twice"},
    "torgb_fixed": {"modres": "double", "rgb_gain": "once"},
    "modres_fixed": {"modres": "residual", "rgb_gain": "twice"},
    "both_fixed": {"modres": "residual", "rgb_gain": "once"},
    "modres_off_torgb_fixed": {"modres": "off", "rgb_gain": "once"},
}
"""The settings of each variant of the outputs; `nostyle` is any of them without a style."""


class SmallPStyle:
    """The fixture's files.

    Args:
        folder: The folder of the fixture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.described: dict[str, Any] = json.loads((folder / "config.json").read_text())
        self.tag: str = self.described["rule_tag"]
        self.inputs = ReferenceNumbers.read(folder / "inputs.safetensors")
        self.outputs = ReferenceNumbers.read(folder / "outputs.safetensors")
        self.state = load_file(folder / "generator.safetensors")

    def eg3d_config(self) -> EG3DConfig:
        described = self.described
        shapes = {name: tuple(tensor.shape) for name, tensor in self.state.items()}
        size = described["superresolution"]["input_resolution"]
        found = generator_config(
            described["generator"], None, shapes, render_size=size, plane_axes=None
        )
        return found.config

    def generator(self, variant: str) -> StyledGenerator:
        settings = VARIANTS[variant]
        generator = StyledGenerator(StyledGeneratorConfig.around(self.eg3d_config(), **settings))
        # unused buffers that the fixture leaves out; and blocks that only one mode has
        own = generator.state_dict()
        kept = {name: tensor for name, tensor in self.state.items() if name in own}
        kept |= {name: own[name] for name in self.described["dropped_buffers"]}
        fill_module(generator, kept, "the reference generator")
        return generator

    def sr_features(self) -> Tensor:
        size = self.described["superresolution"]["input_resolution"]
        channels = self.described["superresolution"]["input_channels"]
        return rule("sr_features", (1, channels, size, size), self.tag, -1, 1)

    def picture(self, name: str, size: int) -> Tensor:
        return rule_picture(name, size, self.tag)


def rule_picture(name: str, size: int, tag: str) -> Tensor:
    """Return a picture [1, 3, size, size] by the rule in the README of the reference numbers."""
    offset = rule(f"{name}/offset", (1, 3, 1, 1), tag, -0.3, 0.3).double()
    amplitude = rule(f"{name}/amplitude", (1, 3, 1, 1), tag, 0.3, 0.7).double()
    coarse = _tiles(rule(f"{name}/coarse", (1, 3, 4, 4), tag, -1, 1), size)
    middle = _tiles(rule(f"{name}/mid", (1, 3, size // 16, size // 16), tag, -1, 1), size)
    fine = rule(f"{name}/fine", (1, 3, size, size), tag, -1, 1)
    mixed = 0.5 * coarse.double() + 0.3 * middle.double() + 0.2 * fine.double()
    return (offset + amplitude * mixed).float()


def _tiles(x: Tensor, size: int) -> Tensor:
    times = size // x.shape[-1]
    return x.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)


def sampled(whole: Tensor, name: str) -> Tensor:
    """Return the values of a map that a name's ending says: [..., M::K, M::K]."""
    found = re.search(r"_stride(\d+)(?:_off(\d+))?$", name)
    if found is None:
        return whole
    step, start = int(found[1]), int(found[2] or 0)
    return whole[..., start::step, start::step]


def worst(actual: Tensor, expected: Tensor) -> float:
    """Return the largest error relative to the reference's largest value."""
    assert actual.shape == expected.shape, f"{list(actual.shape)} != {list(expected.shape)}"
    return float((actual - expected).abs().max() / expected.abs().max())


def compare_all(
    outputs: ReferenceNumbers, prefix: str, made: dict[str, Tensor], limit: float = VALUES
) -> Literal[True]:
    """Compare what was made with every reference whose name begins with a text.

    Args:
        outputs: The references.
        prefix: For instance "sr.released.".
        made: Whole tensors by the rest of the name, without the ending that says the stride.
        limit: Of the relative error.
    """
    names = [name for name in outputs if name.startswith(prefix)]
    assert names, prefix
    for name in names:
        rest = name.removeprefix(prefix)
        whole = made[re.sub(r"_stride\d+(_off\d+)?$", "", rest)]
        error = worst(sampled(whole, rest), outputs[name])
        assert error <= limit, f"{name}: relative error {error:.2e} is beyond {limit:.0e}"
    return True
