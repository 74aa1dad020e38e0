"""A batch in chunks that fit into memory: the gradient is that of the whole batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from triptych.errors import UserError

Losses = dict[str, Tensor]
"""Terms that are added up, each a mean over its pictures."""


def check_chunks(batch: int, chunk: int) -> None:
    """Raise UserError unless a batch can be cut into chunks."""
    if not 1 <= chunk <= batch:
        raise UserError(f"chunk: got {chunk}; expected a number from 1 to the batch, {batch}")


def in_chunks(
    batch: int, chunk: int, losses_of: Callable[[int], Losses]
) -> tuple[Tensor, dict[str, float]]:
    """Back-propagate all chunks but the last, whose loss is returned, and all figures.

    The published code adds up the gradients of chunks without dividing, so that its effective
    rates follow their number. Here each counts by its share of the batch.

    Args:
        batch: Pictures.
        chunk: At most so many at once.
        losses_of: Draws so many pictures and returns their losses.
    """
    figures: dict[str, float] = {}
    sizes = [min(chunk, batch - start) for start in range(0, batch, chunk)]
    loss = torch.zeros(())
    for index, size in enumerate(sizes):
        terms = losses_of(size)
        loss = torch.stack([*terms.values()]).sum() * (size / batch)
        for name, term in terms.items():
            figures[name] = figures.get(name, 0.0) + float(term.detach()) * size / batch
        if index < len(sizes) - 1:
            loss.backward()
    return loss, figures


def learn_only(learning: nn.Module, *others: nn.Module) -> None:
    """Let gradients reach one network's weights and no others'."""
    for network in others:
        network.requires_grad_(False)
    learning.requires_grad_(True)
