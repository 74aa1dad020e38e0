"""A batch in chunks that fit into memory: the gradient is that of the whole batch."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.training.loop import Progress

Losses = dict[str, Tensor]
"""Terms that are added up, each a mean over its pictures."""


def check_chunks(batch: int, chunk: int, num_processes: int | None = None) -> None:
    """Raise UserError unless a batch can be cut into chunks, as many for each process."""
    num_processes = num_processes or int(os.environ.get("WORLD_SIZE", "1"))  # torchrun's
    if not 1 <= chunk <= batch:
        raise UserError(f"chunk: got {chunk}; expected a number from 1 to the batch, {batch}")
    chunks = len(_sizes(batch, chunk))
    if chunks % num_processes:
        raise UserError(
            f"batch {batch} in chunks of {chunk} makes {chunks} chunks; expected as many for each "
            f"of the {num_processes} processes"
        )


def in_chunks(
    batch: int,
    chunk: int,
    losses_of: Callable[[int, torch.Generator], Losses],
    rng: torch.Generator,
    progress: Progress,
) -> tuple[Tensor, dict[str, float]]:
    """Back-propagate all chunks of this process but the last, whose loss is returned, and all
    figures.

    The published code adds up the gradients of chunks without dividing, so that its effective
    rates follow their number. Here each counts by its share of the batch; processes take turns, and
    the mean of their gradients is that of the batch. Each chunk draws from a generator of its own,
    so that it is the same whichever process computes it.

    Args:
        batch: Pictures, over all processes.
        chunk: At most so many at once.
        losses_of: Draws so many pictures and returns their losses.
        rng: Random numbers that all processes share.
        progress: Says which process this is.
    """
    figures: dict[str, float] = {}
    sizes = _sizes(batch, chunk)
    seeds = torch.randint(2**62, (len(sizes),), generator=rng).tolist()
    own = list(zip(sizes, seeds, strict=True))[progress.process :: progress.num_processes]
    loss = torch.zeros(())
    for index, (size, seed) in enumerate(own):
        terms = losses_of(size, torch.Generator().manual_seed(seed))
        share = size * progress.num_processes / batch
        loss = torch.stack([*terms.values()]).sum() * share
        for name, term in terms.items():
            figures[name] = figures.get(name, 0.0) + float(term.detach()) * share
        if index < len(own) - 1:
            loss.backward()
    return loss, figures


def _sizes(batch: int, chunk: int) -> list[int]:
    return [min(chunk, batch - start) for start in range(0, batch, chunk)]


def learn_only(learning: nn.Module, *others: nn.Module) -> None:
    """Let gradients reach one network's weights and no others'."""
    for network in others:
        network.requires_grad_(False)
    learning.requires_grad_(True)
