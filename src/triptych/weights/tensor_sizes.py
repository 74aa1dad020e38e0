"""Sizes of a network, read off the shapes of its tensors in an untrusted file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from triptych.errors import UserError
from triptych.weights.file_settings import LARGEST_WHOLE

Shapes = Mapping[str, tuple[int, ...]]


def size_of(shapes: Shapes, name: str, dimension: int) -> int:
    """Return the size of a tensor along one of its dimensions.

    Raises:
        UserError: The tensor is missing, or has fewer dimensions, or an impossible size.
    """
    shape = shapes.get(name, ())
    if len(shape) <= dimension or not 1 <= shape[dimension] <= LARGEST_WHOLE:
        raise UserError(f"the tensor {name} is missing or has an impossible shape")
    return shape[dimension]


def count_of(shapes: Shapes, pattern: str) -> int:
    """Return how many tensors have a name that a regular expression matches."""
    expression = re.compile(pattern)
    return sum(expression.fullmatch(name) is not None for name in shapes)


def numbers_in(shapes: Shapes, pattern: str) -> list[int]:
    """Return what the one group of a regular expression matches in names, as sorted numbers."""
    expression = re.compile(pattern)
    found = (expression.fullmatch(name) for name in shapes)
    return sorted(int(match[1]) for match in found if match)
