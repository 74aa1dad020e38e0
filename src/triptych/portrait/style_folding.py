"""A style folded into a generator: the result is a plain generator all of whose heads wear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from triptych.fields.recoloured_decoder import ColourChange, recoloured_state
from triptych.models.eg3d import EG3DConfig, TriPlaneGenerator
from triptych.models.styled_layers import styled_layers
from triptych.weights.tensor_fit import unallocated


@torch.no_grad()
def fold_style(
    generator: TriPlaneGenerator,
    factors: Mapping[str, Tensor],
    config: EG3DConfig,
    shifts: Mapping[str, Tensor] | None = None,
    colours: ColourChange | None = None,
) -> TriPlaneGenerator:
    """Return a plain generator whose layers' styles are multiplied by factors.

    Styles are linear in a head's code, so the factors are multiplied into the affine maps. Weights
    are shared with the generator where nothing changes. Where a factor is 1 and a shift 0, numbers
    are the same.

    Args:
        generator: Whose heads; what it has beside a plain generator is left out.
        factors: Factors [i] of every styled layer's input channels, by the layer's name.
        config: Of the result, which may have gains.
        shifts: Numbers [o] added to the biases of some layers, by the layer's name.
        colours: Change of the decoder's colours; the result's decoder is then twice as wide.
    """
    state = dict(generator.state_dict())
    for place in styled_layers(generator):
        affine, factor = place.layer.affine, factors[place.name]
        state[f"{place.name}.affine.weight"] = affine.weight * factor[:, None]
        state[f"{place.name}.affine.bias"] = affine.bias * factor
        if shifts and place.name in shifts:
            state[f"{place.name}.bias"] = place.layer.bias + shifts[place.name]
    if colours is not None:
        decoder = recoloured_state(generator.decoder, colours)
        state |= {f"decoder.{name}": tensor for name, tensor in decoder.items()}
        width = 2 * config.decoder.num_hidden
        config = replace(config, decoder=replace(config.decoder, num_hidden=width))
    plain = unallocated(lambda: TriPlaneGenerator(config))
    plain.load_state_dict({name: state[name] for name in plain.state_dict()}, assign=True)
    return plain.eval().requires_grad_(False)


def with_gains(config: EG3DConfig, of_backbone: Sequence[float], of_head: float) -> EG3DConfig:
    """Return a configuration in which blocks multiply what their convolutions give.

    Args:
        config: The configuration.
        of_backbone: Gains of the backbone's first blocks.
        of_head: Gain of the super-resolution network, if there is one.
    """
    backbone = replace(config.backbone, gains=tuple(of_backbone))
    head = config.superresolution and replace(config.superresolution, gain=of_head)
    return replace(config, backbone=backbone, superresolution=head)
