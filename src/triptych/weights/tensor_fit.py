"""Check that tensors fit a network: one table of all missing, unexpected and misshapen ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from triptych.errors import UserError

SHOWN_IN_MESSAGE = 5
Shapes = Mapping[str, Sequence[int]]
Problem = Literal["missing", "unexpected", "misshapen"]
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Misfit:
    """One line of the table.

    Attributes:
        problem: What is wrong.
        name: State-dict name of the tensor.
        expected: Shape in the network; None for a tensor that it does not have.
        found: Shape in the file; None for a tensor that is not there.
    """

    problem: Problem
    name: str
    expected: tuple[int, ...] | None
    found: tuple[int, ...] | None

    def cells(self) -> tuple[str, str, str, str]:
        """Return the line's columns as text."""
        shapes = [
            "-" if shape is None else str(list(shape)) for shape in (self.expected, self.found)
        ]
        return self.problem, self.name, shapes[0], shapes[1]


class TensorsDoNotFit(UserError):
    """The tensors of a file do not fit a network.

    Attributes:
        misfits: All lines of the table; the message shows the first of each kind.
    """

    TITLES = ("problem", "tensor", "expected", "in the file")

    def __init__(self, source: str, network: str, misfits: Sequence[Misfit]) -> None:
        self.misfits = tuple(misfits)
        kinds: tuple[Problem, ...] = ("missing", "unexpected", "misshapen")
        lines = [_line(kind, [m for m in misfits if m.problem == kind]) for kind in kinds]
        super().__init__(
            f"the tensors of {source} do not fit a {network}:\n  "
            + "\n  ".join(line for line in lines if line)
        )


def _line(problem: Problem, misfits: Sequence[Misfit]) -> str:
    if not misfits:
        return ""
    shown = ", ".join(
        f"{m.name} is {list(m.found)}, not {list(m.expected)}"
        if m.expected is not None and m.found is not None
        else m.name
        for m in misfits[:SHOWN_IN_MESSAGE]
    )
    return f"{len(misfits)} {problem}: {shown}{', ...' if len(misfits) > SHOWN_IN_MESSAGE else ''}"


def check_fit(expected: Shapes, found: Shapes, *, network: str, source: str) -> None:
    """Check that two tables of shapes are equal.

    Args:
        expected: Shapes of the network's tensors by name.
        found: Shapes in the file.
        network: Class of the network, for the message.
        source: File, for the message.

    Raises:
        TensorsDoNotFit: They differ.
    """
    misfits = [
        Misfit("missing", name, tuple(expected[name]), None)
        for name in sorted(expected.keys() - found.keys())
    ]
    misfits += [
        Misfit("unexpected", name, None, tuple(found[name]))
        for name in sorted(found.keys() - expected.keys())
    ]
    misfits += [
        Misfit("misshapen", name, tuple(expected[name]), tuple(found[name]))
        for name in sorted(expected.keys() & found.keys())
        if tuple(expected[name]) != tuple(found[name])
    ]
    if misfits:
        raise TensorsDoNotFit(source, network, misfits)


def shapes_of(build: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's tensors without allocating any of them.

    Args:
        build: Makes the network.
    """
    state = unallocated(build).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def unallocated(build: Callable[[], Network]) -> Network:
    """Return a network whose tensors have shapes but no memory, to be assigned tensors.

    Args:
        build: Makes the network.
    """
    with _ShapesOnly():
        return build()


class _ShapesOnly(TorchFunctionMode):
    """Creates new tensors on torch's meta device: shapes without contents."""

    _FILLED = (torch.randn, torch.rand, torch.zeros, torch.ones, torch.empty)
    _WITH_A_NUMBER = (
        torch.Tensor.div,
        torch.Tensor.mul,
        torch.Tensor.sub,
        torch.Tensor.__truediv__,
        torch.Tensor.__mul__,
        torch.Tensor.__sub__,
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in self._FILLED or func is torch.full:
            size = args[:1] if func is torch.full else args
            return torch.empty(*size, device="meta")
        # torch would import its compiler to find that the shape stays the same
        if func in self._WITH_A_NUMBER and args[0].is_meta and isinstance(args[1], float | int):
            return args[0]
        filled = args[0] if args else kwargs.get("tensor")
        if _is_in_place(func) and isinstance(filled, torch.Tensor) and filled.is_meta:
            return filled
        return func(*args, **kwargs)


def _is_in_place(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    return name.endswith("_") and not name.startswith("_") and name != "requires_grad_"
