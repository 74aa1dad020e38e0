"""A decoder whose colours follow a style while its densities stay what they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional

from triptych.fields.base import FieldSample
from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField, coloured


@dataclass(frozen=True, eq=False)
class ColourChange:
    """What is added to the layers of a decoder where they make colours, one style or a batch [b].

    Attributes:
        hidden_weight: To the weight of the hidden layer [h, c] or [b, h, c].
        hidden_bias: To its bias [h] or [b, h].
        weight: To the rows of the last layer that give features [f, h] or [b, f, h].
        bias: To their bias [f] or [b, f].
    """

    hidden_weight: Tensor
    hidden_bias: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def shapes(cls, decoder: TriPlaneDecoder) -> dict[str, tuple[int, ...]]:
        """Return the shape of every part for a decoder, by name."""
        (hidden, hidden_bias), (last, last_bias) = decoder.effective_layers()
        features = last_bias.shape[0] - 1
        return {
            "hidden_weight": tuple(hidden.shape),
            "hidden_bias": tuple(hidden_bias.shape),
            "weight": (features, last.shape[1]),
            "bias": (features,),
        }

    def parts(self) -> dict[str, Tensor]:
        """Return the tensors by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def scaled(self, amount: float) -> ColourChange:
        """Return so much of the change."""
        return ColourChange(**{name: part * amount for name, part in self.parts().items()})

    def plus(self, other: ColourChange) -> ColourChange:
        """Return the sum of two changes of the same decoder."""
        theirs = other.parts()
        return ColourChange(**{name: part + theirs[name] for name, part in self.parts().items()})

    def to(self, device: torch.device | str) -> ColourChange:
        """Return the change on a device."""
        return ColourChange(**{name: part.to(device) for name, part in self.parts().items()})


class RecolouredDecoder:
    """A decoder with the colours of one style, or of one style per field of a batch.

    Args:
        decoder: Gives densities, and what the change is added to.
        change: Of one style, or of b styles for b fields.
    """

    def __init__(self, decoder: TriPlaneDecoder, change: ColourChange) -> None:
        self._own, self._change = decoder, change

    def __call__(self, plane_features: Tensor) -> FieldSample:
        """Decode features [b * n, c], field by field."""
        (hidden, hidden_bias), (last, last_bias) = self._own.effective_layers()
        change = self._change
        batched = change.bias.ndim == 2
        weights = hidden + change.hidden_weight, last[1:] + change.weight
        biases = hidden_bias + change.hidden_bias, last_bias[1:] + change.bias
        x = plane_features.float()
        if batched:
            x = x.reshape(change.bias.shape[0], -1, x.shape[-1])
            biases = biases[0][:, None], biases[1][:, None]
        x = functional.softplus(x @ weights[0].transpose(-1, -2) + biases[0])
        colour = x @ weights[1].transpose(-1, -2) + biases[1]
        features = coloured(colour.reshape(-1, colour.shape[-1]))
        return FieldSample(self.density(plane_features), features)

    def density(self, plane_features: Tensor) -> Tensor:
        """Return the raw density [b * n, 1], which no style changes."""
        return self._own.density(plane_features)


def recoloured(field: TriPlaneField, change: ColourChange | None) -> TriPlaneField:
    """Return fields with the colours of a style, or of a style each; of none, as they are."""
    if change is None:
        return field
    return replace(field, decoder=RecolouredDecoder(field.own_decoder, change))


@torch.no_grad()
def recoloured_state(decoder: TriPlaneDecoder, change: ColourChange) -> dict[str, Tensor]:
    """Return the tensors of a plain decoder, twice as wide, that does what a recoloured one does.

    One half of its hidden layer makes the density, the other the colours.

    Args:
        decoder: The decoder.
        change: Of one style.
    """
    own = decoder.state_dict()
    hidden, hidden_bias = own["net.0.weight"], own["net.0.bias"]
    last, last_bias = own["net.2.weight"], own["net.2.bias"]
    rate = decoder.lr_multiplier
    width, channels = hidden.shape
    styled = hidden + change.hidden_weight * (math.sqrt(channels) / rate)
    # The gain of the last layer falls with the square root of its inputs, of which there are twice
    # as many.
    wider = math.sqrt(2)
    rows = wider * (last[1:] + change.weight * (math.sqrt(width) / rate))
    nothing = torch.zeros_like(last)
    return {
        "net.0.weight": torch.cat([hidden, styled]),
        "net.0.bias": torch.cat([hidden_bias, hidden_bias + change.hidden_bias / rate]),
        "net.2.weight": torch.cat(
            [
                torch.cat([wider * last[:1], nothing[:1]], dim=1),
                torch.cat([nothing[1:], rows], dim=1),
            ]
        ),
        "net.2.bias": torch.cat([last_bias[:1], last_bias[1:] + change.bias / rate]),
    }
