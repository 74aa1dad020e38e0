"""The numbers of a style: what it changes in the layers and in the decoder of a generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.fields.recoloured_decoder import ColourChange
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.styled_layers import styled_layers
from triptych.nn.synthesis_layers import Edits, LayerEdit
from triptych.ops.placement import device_of


@dataclass(frozen=True, eq=False)
class StyleNumbers:
    """One style, or a batch of b.

    Attributes:
        factors: Factors [i] or [b, i] of each styled layer's input channels, by its name.
        shifts: Shifts [o] or [b, o] of each one's bias.
        colours: Change of the decoder's colours; None where a super-resolution network follows.
    """

    factors: Mapping[str, Tensor]
    shifts: Mapping[str, Tensor]
    colours: ColourChange | None

    @classmethod
    def untouched(cls, generator: TriPlaneGenerator) -> StyleNumbers:
        """Return the style that leaves heads as they are, to be learned from there."""
        device = device_of(generator)

        def learned(values: Tensor) -> Tensor:
            return values.to(device).requires_grad_(True)

        factors, shifts = {}, {}
        for place in styled_layers(generator):
            factors[place.name] = learned(torch.ones(place.layer.affine.weight.shape[0]))
            shifts[place.name] = learned(torch.zeros(place.layer.bias.shape[0]))
        colours = None
        if generator.config.superresolution is None:
            shapes = ColourChange.shapes(generator.decoder)
            parts = {name: learned(torch.zeros(shape)) for name, shape in shapes.items()}
            colours = ColourChange(**parts)
        return cls(factors, shifts, colours)

    def edits(self, generator: TriPlaneGenerator) -> Edits:
        """Return one style as edits of a generator's layers, with gradients."""
        return {
            place.layer: LayerEdit(self.factors[place.name][None], self.shifts[place.name])
            for place in styled_layers(generator)
        }

    def one(self, index: int) -> StyleNumbers:
        """Return one style of a batch."""
        return self._each(lambda part: part[index])

    def mean(self) -> StyleNumbers:
        """Return the mean of a batch."""
        return self._each(lambda part: part.mean(dim=0))

    def copied(self) -> StyleNumbers:
        """Return a copy on the CPU that nothing changes."""
        return self._each(lambda part: part.detach().cpu().clone())

    def _each(self, change: Callable[[Tensor], Tensor]) -> StyleNumbers:
        factors, shifts = (
            {name: change(part) for name, part in parts.items()}
            for parts in (self.factors, self.shifts)
        )
        colours = self.colours
        if colours is not None:
            colours = ColourChange(**{name: change(part) for name, part in colours.parts().items()})
        return StyleNumbers(factors, shifts, colours)
