"""A GPU that is not there: tensors compute on the CPU, but say, and insist, that they are on it.

What a real device refuses is refused here too: mixing tensors of two devices, turning a tensor of
the device into NumPy (so every compiled CPU kernel), and a CPU generator drawing on the device.
Drawing random numbers on the device at all is refused as well, since other devices would draw
others. Real numbers flow, so that results can be compared with those of the CPU.

    with pretended_device() as device:
        pipeline.to(device)(...)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

DEVICE = torch.device("cuda", 0)

_MOVES = {"to", "cpu", "cuda", "copy_", "load_state_dict"}
_DRAWS = {
    *("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson"),
    *("rand_like", "randn_like", "randint_like"),
    *("normal_", "uniform_", "random_", "bernoulli_", "exponential_", "trunc_normal_"),
}
_ASKS_ONLY = {"_parse_to", "_has_compatible_shallow_copy_type"}
_LEAVES_TORCH = {"numpy", "__array__", "__dlpack__", "data_ptr"}


class Misplaced(RuntimeError):
    """Something that a GPU would refuse, or that would differ between devices."""


class OnDevice(Tensor):
    """A CPU tensor that says it is on the pretended device."""

    _computing = False

    @property
    def device(self) -> torch.device:
        return torch.device("cpu") if OnDevice._computing else DEVICE

    @property
    def is_cuda(self) -> bool:
        return not OnDevice._computing

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            copied = self.detach().clone().requires_grad_(self.requires_grad)
            copied._is_param = getattr(self, "_is_param", False)
            memo[id(self)] = copied
        return memo[id(self)]


@contextmanager
def pretended_device() -> Iterator[torch.device]:
    """Yield a device that exists inside the block only; networks and tensors can be moved to it."""
    kept = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _Pretence(), warnings.catch_warnings():
            for said in ("User provided device_type of 'cuda'", "CUDA is not available"):
                warnings.filterwarnings("ignore", said)
            yield DEVICE
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(kept)


class _Pretence(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.__name__
        if name in _ASKS_ONLY:
            return func(*args, **kwargs)
        tensors = list(_tensors_in((args, kwargs)))
        placed = any(isinstance(tensor, OnDevice) for tensor in tensors)
        if name in _LEAVES_TORCH and placed:
            raise Misplaced(f"Tensor.{name} of a tensor that is on {DEVICE}")
        if placed and name not in _MOVES:
            _check_together(name, args, tensors)
        on_device = _lands_on_device(name, args, kwargs, placed)
        if name in _DRAWS and on_device:
            raise Misplaced(f"{name} draws on {DEVICE}; draw on the CPU and move what was drawn")
        with torch._C.DisableTorchFunctionSubclass(), _computing():
            result = func(*_mapped(_here, args), **_mapped(_here, kwargs))
        if not on_device:
            return _mapped(_unplaced, result)
        return _mapped(lambda value: _placed(value, is_new=_is_new(value, tensors)), result)


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors_in(part)
    elif isinstance(value, dict):
        yield from _tensors_in(tuple(value.values()))


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to everything in a container of torch's arguments or results."""
    if isinstance(value, dict):
        return {key: _mapped(change, part) for key, part in value.items()}
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
        parts = [_mapped(change, part) for part in value]
        return parts if isinstance(value, list) else type(value)(parts)
    return change(value)


@contextmanager
def _computing() -> Iterator[None]:
    kept, OnDevice._computing = OnDevice._computing, True
    try:
        yield
    finally:
        OnDevice._computing = kept


def _check_together(name: str, args: Any, tensors: list[Tensor]) -> None:
    """Refuse what torch refuses: CPU tensors beside ones on the device, but for single numbers."""
    if name in ("__getitem__", "__setitem__") and isinstance(args[0], OnDevice):
        tensors = [value for value in args[2:] if isinstance(value, Tensor)]  # indices may be
    for tensor in tensors:
        if not isinstance(tensor, OnDevice) and tensor.ndim > 0:
            raise Misplaced(f"{name}: a CPU tensor {list(tensor.shape)} beside tensors on {DEVICE}")


def _lands_on_device(name: str, args: Any, kwargs: Any, placed: bool) -> bool:
    if name == "cpu":
        return False
    if name == "cuda":
        return True
    asked = kwargs.get("device")
    if name == "to":
        for given in [*args[1:], kwargs.get("other")]:
            if isinstance(given, Tensor):
                return isinstance(given, OnDevice)
            if isinstance(given, str | torch.device):
                asked = given
    if name == "copy_":
        return isinstance(args[0], OnDevice)
    return placed if asked is None else torch.device(asked).type == DEVICE.type


def _here(value: Any) -> Any:
    """Replace the pretended device by the one that computes."""
    names_it = isinstance(value, str) and value.split(":")[0] == DEVICE.type
    is_it = isinstance(value, torch.device) and value.type == DEVICE.type
    return torch.device("cpu") if names_it or is_it else value


def _is_new(value: Any, inputs: list[Tensor]) -> bool:
    return all(value is not tensor for tensor in inputs)


def _placed(value: Any, *, is_new: bool) -> Any:
    if not isinstance(value, Tensor) or isinstance(value, OnDevice):
        return value
    if is_new and value.is_leaf and value.requires_grad:  # of zeros(..., requires_grad=True)
        return value.detach().as_subclass(OnDevice).requires_grad_()
    return value.as_subclass(OnDevice)


def _unplaced(value: Any) -> Any:
    if isinstance(value, OnDevice):
        return value.as_subclass(Tensor).clone()
    return value
