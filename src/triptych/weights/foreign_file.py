"""Tensors from files of other programs, read without running any code that is in them."""

from __future__ import annotations

import pickle
from pathlib import Path

from torch import Tensor

from triptych.errors import UserError


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read named tensors from a `.safetensors` file or a plain `.pth`/`.pt` state dict.

    Raises:
        UserError: The file is absent or broken, or holds more than named tensors.
    """
    import safetensors
    import safetensors.torch
    import torch

    file = Path(path)
    try:
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except (safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{file} is broken or holds more than named tensors, which is refused: {first_line}"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise UserError(f"{file} holds something else than named tensors")
    return dict(found)
