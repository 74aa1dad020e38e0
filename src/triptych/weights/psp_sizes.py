"""Sizes that the tensors of pSp-style encoders tell: groups of residual units, style heads."""

from __future__ import annotations

import itertools
import re

from triptych.errors import UserError
from triptych.weights.tensor_sizes import Shapes, numbers_in, size_of

COARSE_REDUCTION = 16
"""How much smaller the coarse level of the pyramid is than the picture."""
_LEVELS = 3
_BODY_WEIGHT = r"body\.(\d{1,2})\.res_layer\.3\.weight"
_HEAD_WEIGHT = re.compile(r"styles\.(\d{1,2})\.convs\.(\d{1,2})\.weight")


def groups_of(shapes: Shapes) -> tuple[list[int], list[int]]:
    """Return the widths of the groups of residual units, and how many units each has."""
    numbers = numbers_in(shapes, _BODY_WEIGHT)
    depths = [size_of(shapes, f"body.{number}.res_layer.3.weight", 0) for number in numbers]
    runs = [(width, len(list(run))) for width, run in itertools.groupby(depths)]
    return [width for width, _ in runs], [count for _, count in runs]


def heads_of(shapes: Shapes, layers_per_halving: int) -> tuple[int, list[int]]:
    """Return the side of the pictures, and how many heads read each level, coarse ones first.

    Args:
        shapes: Shapes of an encoder's tensors by name.
        layers_per_halving: Layers of a head, rectifiers included, that halve its map once.

    Raises:
        UserError: The heads are not those of a pyramid of three levels.
    """
    layers: dict[int, int] = {}
    for name in shapes:
        if match := _HEAD_WEIGHT.fullmatch(name):
            head, layer = int(match[1]), int(match[2])
            layers[head] = max(layers.get(head, 0), layer)
    halvings = [-(-(layers[head] + 1) // layers_per_halving) for head in sorted(layers)]
    if not halvings or max(halvings) - min(halvings) >= _LEVELS:
        raise UserError("its style heads do not read three levels of a pyramid")
    first = min(halvings)
    counts = [halvings.count(level) for level in range(first, first + _LEVELS)]
    return COARSE_REDUCTION * 2**first, counts
