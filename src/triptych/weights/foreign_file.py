"""Tensors from files of other programs, read without running code in them."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from triptych.errors import UserError
from triptych.weights.safetensors_layout import read_layout
from triptych.weights.untrusted.known_calls import is_plain
from triptych.weights.untrusted.stored_networks import tensor_table
from triptych.weights.untrusted.untrusted_file import read_untrusted


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read named tensors from a `.safetensors` file or a plain `.pth`/`.pt` state dict.

    Raises:
        UserError: The file is absent or broken, or holds more than named tensors.
    """
    import safetensors
    import safetensors.torch

    file = Path(path)
    if not file.is_file():
        raise UserError(f"cannot read {file}: there is no such file")
    try:
        if file.suffix == ".safetensors":
            read_layout(file)  # a hostile table is refused unread
            return safetensors.torch.load_file(file)
        return _read_state_dict(file)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except (safetensors.SafetensorError, UserError) as error:
        raise UserError(
            f"{file} is broken or holds more than named tensors, which is refused: {error}"
        ) from error


def _read_state_dict(file: Path) -> dict[str, Tensor]:
    found = read_untrusted(file)
    found.refuse_dangerous_names()
    foreign = sorted(str(name) for name in found.names if not is_plain(name))
    if foreign:
        raise UserError(f"it names {foreign[0]}")
    table = tensor_table(found.content)
    if table is None:
        raise UserError("it holds something else than named tensors")
    return {name: t.clone() for name, t in found.read_tensors(table, integers=True).items()}
