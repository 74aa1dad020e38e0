"""Where styles enter a tri-plane generator: its styled layers, each with its row of a code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.synthesis_block import SynthesisBlock
from triptych.nn.synthesis_layers import SynthesisLayer, ToRGBLayer

Part = Literal["geometry", "appearance"]
_LARGEST_OF_GEOMETRY = 16
_LARGEST_WITH_RESIDUAL = 32


@dataclass(frozen=True, eq=False)
class StyledLayer:
    """One layer whose input channels a style scales.

    Attributes:
        name: Name of the layer in the state dict.
        layer: The layer.
        slot: Row of a style code [num_ws, d] that steers it.
        part: "geometry": planes up to 16 pixels, which decide shapes; "appearance": the rest and
            the super-resolution network.
        residual: Name of the residual block that PStyle-3D puts behind it; None for no block.
    """

    name: str
    layer: SynthesisLayer | ToRGBLayer
    slot: int
    part: Part
    residual: str | None


def styled_layers(generator: TriPlaneGenerator) -> Iterator[StyledLayer]:
    """Yield all styled layers, backbone first, in the order of the forward pass.

    As in the released code, a style code is sliced as the content code is: a ToRGB layer shares the
    row of the next block's first convolution, and super-resolution takes the last row throughout.
    Residual blocks stand behind the backbone's convolutions up to 32 pixels and behind all of the
    super-resolution network's.
    """
    network, slot = generator.backbone.synthesis, 0
    for size in network.sizes:
        block = network.get_submodule(f"b{size}")
        assert isinstance(block, SynthesisBlock)
        part: Part = "geometry" if size <= _LARGEST_OF_GEOMETRY else "appearance"
        slots = range(slot, slot + block.num_conv + block.num_torgb)
        has_residual = size <= _LARGEST_WITH_RESIDUAL
        yield from _of_block(f"backbone.synthesis.b{size}", block, slots, part, has_residual)
        slot += block.num_conv
    if generator.config.superresolution is None:
        return
    last = [generator.num_ws - 1] * 3
    for name in ("block0", "block1"):
        block = generator.superresolution.get_submodule(name)
        assert isinstance(block, SynthesisBlock)
        yield from _of_block(f"superresolution.{name}", block, last, "appearance", True)


def _of_block(
    name: str, block: SynthesisBlock, slots: list[int] | range, part: Part, has_residual: bool
) -> Iterator[StyledLayer]:
    rows = iter(slots)
    for number in (1,) if block.is_first else (0, 1):
        layer = block.get_submodule(f"conv{number}")
        assert isinstance(layer, SynthesisLayer)
        residual = f"{name}.res{number}" if has_residual else None
        yield StyledLayer(f"{name}.conv{number}", layer, next(rows), part, residual)
    if block.reads_image:
        yield StyledLayer(f"{name}.torgb", block.torgb, next(rows), part, None)
