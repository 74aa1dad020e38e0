"""The memory of where the surface is."""

from __future__ import annotations

import torch

from triptych.systems.stylize.rendered_batch import SurfaceMemory


def _memory() -> SurfaceMemory:
    depth = torch.full((2, 1, 2, 2), 2.5)
    opacity = torch.tensor([1.0, 0.0, 0.9, 0.2]).view(1, 1, 2, 2).expand(2, -1, -1, -1)
    return SurfaceMemory(depth, opacity)


def test_starts_with_the_original_head():
    depth, known = _memory().pictures(torch.tensor([1]))
    assert depth.tolist() == [[[2.5, 2.5], [2.5, 2.5]]]
    assert known.tolist() == [[[True, False], [True, False]]]


def test_learns_new_and_vanished_surfaces():
    memory = _memory()
    views, pixels = torch.tensor([0]), torch.tensor([[1, 2]])
    memory.learn(views, pixels, torch.tensor([[2.7, 2.6]]), torch.tensor([[0.8, 0.1]]))
    depth, known = memory.pictures(views)
    torch.testing.assert_close(depth, torch.tensor([[[2.5, 2.7], [2.6, 2.5]]]))
    assert known.tolist() == [[[True, True], [False, False]]]
    _, untouched = memory.pictures(torch.tensor([1]))
    assert untouched.tolist() == [[[True, False], [True, False]]]


def test_state_comes_back():
    memory, other = _memory(), _memory()
    memory.learn(
        torch.tensor([1]), torch.tensor([[3]]), torch.tensor([[3.0]]), torch.tensor([[1.0]])
    )
    other.restore({name: tensor.clone() for name, tensor in memory.state().items()})
    assert torch.equal(other.depth, memory.depth)
    assert torch.equal(other.known, memory.known)
