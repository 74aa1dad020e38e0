"""Passthrough latents: entries of the style code that hold attributes of the avatar unchanged.

A mapping network can suppress an attribute before the synthesis network uses it; then neither
learns it, because the gradient of each is scaled by the other. A passthrough latent keeps such an
attribute in the style code, where every layer reads it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.models.attribute_schema import ATTRIBUTE_DIM, attribute_slices
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.nn.synthesis_layers import SynthesisLayer, ToRGBLayer

# Brightness, red less green, blue less green, each scaled to about unit deviation: colours vary
# most in brightness, which would dominate the others.
_OPPONENTS = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [1.2, -1.2, 0.0], [0.0, -1.2, 1.2]])
# A learnt attribute moves every entry of the code by about 8. A single entry has to move further
# to be learnt about as fast at the same learning rate.
_AMPLITUDE = 40.0
# Added before a leaky ReLU, in deviations: nearly all values then pass its linear half.
_SHIFT = 4.0
_GAIN = math.sqrt(2)  # of each leaky ReLU


def with_passthrough(generator: TriPlaneGenerator, names: Sequence[str]) -> TriPlaneGenerator:
    """Return a generator of the same pictures with additional passthrough entries in its codes.

    Args:
        generator: A generator of avatars, whose latents are attribute vectors.
        names: Attributes to pass through, such as "smile" or "garment_rgb".

    Raises:
        UserError: There is no such attribute, or the latents are not attribute vectors.
    """
    directions = _directions(names, generator.config.z_dim)
    config, first = generator.config, generator.config.w_dim
    hidden = (config.mapping.layer_features or first) + len(directions)
    wider = TriPlaneGenerator(
        replace(
            config,
            w_dim=first + len(directions),
            mapping=replace(config.mapping, layer_features=hidden),
        )
    )
    state = wider.state_dict()
    for name, value in generator.state_dict().items():
        state[name] = _padded(value, state[name].shape)
    wider.load_state_dict(state)
    _pass_through(wider.backbone.mapping.layers, directions)
    return wider.eval()


def learn_only_passthrough(generator: TriPlaneGenerator, names: Sequence[str]) -> None:
    """Freeze everything but the weights by which the synthesis reads these passthrough latents."""
    num_passthrough = len(_directions(names, generator.config.z_dim))
    generator.requires_grad_(False)
    for module in generator.backbone.synthesis.modules():
        if isinstance(module, SynthesisLayer | ToRGBLayer):
            weight = module.affine.weight.requires_grad_(True)
            is_passthrough = torch.arange(weight.shape[1]) >= weight.shape[1] - num_passthrough
            weight.register_hook(is_passthrough.to(weight.dtype).mul)


def _directions(names: Sequence[str], z_dim: int) -> Tensor:
    """Return the weights of the attributes in each passthrough latent [n, z_dim]."""
    slices = attribute_slices()
    if unknown := [name for name in names if name not in slices]:
        raise UserError(f"avatars have no attribute {unknown[0]!r}; they have {', '.join(slices)}")
    if z_dim != ATTRIBUTE_DIM:
        raise UserError(
            f"the generator takes {z_dim} numbers, not the {ATTRIBUTE_DIM} attributes of an avatar"
        )
    blocks = []
    for name in names:
        own = torch.eye(z_dim)[slices[name]]
        blocks.append(_OPPONENTS @ own if name.endswith("_rgb") else own)
    return torch.cat(blocks)


def _padded(value: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a parameter padded with zeros; equalised weights keep their effect."""
    padded = value.new_zeros(shape)
    gain = math.sqrt(shape[1] / value.shape[1]) if value.ndim == 2 else 1.0
    padded[tuple(slice(length) for length in value.shape)] = value * gain
    return padded


@torch.no_grad()
def _pass_through(layers: Sequence[FullyConnectedLayer], directions: Tensor) -> None:
    """Pass the directions through the last units of each layer, whose weights are zero so far."""
    entries = torch.arange(-len(directions), 0)
    for layer in layers:
        effect = layer.lr_multiplier / math.sqrt(layer.weight.shape[1])
        if layer is layers[0]:
            layer.weight[entries] = directions / effect
            layer.bias[entries] = _SHIFT / layer.lr_multiplier
        else:
            layer.weight[entries, entries] = 1 / (_GAIN * effect)
    layers[-1].weight[entries] *= _AMPLITUDE / _GAIN
