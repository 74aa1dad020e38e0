"""`--device`: where networks compute.

The only place that knows kinds of devices by name; everywhere else a device comes with the inputs.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from triptych.errors import UserError
from triptych.runs import console

if TYPE_CHECKING:
    import torch

DEVICES = "auto|cpu|cuda|mps"
"""What `--device` takes; "cuda:1" means the second GPU."""

_KNOWN = re.compile(r"auto|cpu|cuda(:\d+)?|mps")
_PLAIN_FAILURES = (RuntimeError, AssertionError)
"""What torch raises where a driver is missing, too old, or out of memory."""


def choose_device(asked: str = "auto") -> torch.device:
    """Return the device that a user asked for, and say which one it is.

    Args:
        asked: "auto" takes the first GPU that works, else the CPU; "cpu", "cuda", "cuda:1" and
            "mps" insist.

    Raises:
        UserError: There is no such kind of device, it is not on this machine, or it does not work.
    """
    if not _KNOWN.fullmatch(asked):
        raise UserError(
            f"--device: got '{asked}'; expected {DEVICES.replace('|', ', ')}, or cuda:1 for the "
            "second GPU"
        )
    device = _first_that_works() if asked == "auto" else _insisted(asked)
    if asked != "auto" or device.type != "cpu":
        console.note(f"computing on {device_name(device)}")
    return device


def device_name(device: torch.device) -> str:
    """Return what records call a device: "cpu", "mps", or "cuda:0 (NVIDIA H100)"."""
    import torch

    if device.type != "cuda":
        return device.type
    return f"{device} ({torch.cuda.get_device_name(device)})"


def present_gpus() -> list[torch.device]:
    """Return the GPUs that torch sees, whether they work or not.

    Each of several processes that torchrun starts sees another one first.
    """
    import torch

    count = torch.cuda.device_count()
    own = int(os.environ.get("LOCAL_RANK", "0"))
    found = [torch.device("cuda", (own + index) % count) for index in range(count)]
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return found


def fault_of(device: torch.device) -> str | None:
    """Return why a device cannot multiply two small matrices, in one line; None when it can."""
    import torch

    try:
        ones = torch.ones(8, 8, device=device)
        product = float((ones @ ones).sum())
    except _PLAIN_FAILURES as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None if product == 8.0**3 else f"it multiplies wrongly ({product} instead of 512)"


def _first_that_works() -> torch.device:
    import torch

    for device in present_gpus():
        fault = fault_of(device)
        if fault is None:
            return device
        console.warn(f"{device} is here but does not work ({fault}); the next best is used")
    return torch.device("cpu")


def _insisted(asked: str) -> torch.device:
    import torch

    if asked == "cpu":
        return torch.device("cpu")
    here = present_gpus()
    device = next((gpu for gpu in here if asked in (gpu.type, str(gpu))), None)
    if device is None:
        names = ", ".join(["cpu", *sorted(map(str, here))])
        raise UserError(
            f"--device: got '{asked}', which torch {torch.__version__} does not find here; it "
            f"finds {names}; choose one of these, or install torch for your GPU "
            "(https://pytorch.org/get-started/locally)"
        )
    fault = fault_of(device)
    if fault is not None:
        raise UserError(
            f"--device: {device} is here but does not work ({fault}); update its driver, or "
            "use --device cpu"
        )
    return device
