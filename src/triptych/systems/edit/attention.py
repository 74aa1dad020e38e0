"""Attention with several heads over projected tokens."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Return what queries [b, n, d] find among keys and values [b, m, d], as [b, n, d].

    Args:
        queries: Projected queries.
        keys: Projected keys.
        values: Projected values.
        heads: Into how many parts d is split.
    """
    parts = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (queries, keys, values))
    found = functional.scaled_dot_product_attention(*parts)
    return found.transpose(1, 2).flatten(2)
