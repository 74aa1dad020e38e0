"""The 3DpSp encoder of the checkpoint that its authors publish."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.config import from_dict
from triptych.errors import UserError
from triptych.weights.loading import network_classes
from triptych.weights.safetensors_file import fill_module

_BODY_WEIGHT = re.compile(r"body\.(\d+)\.res_layer\.3\.weight")
_HEAD_WEIGHT = re.compile(r"styles\.(\d+)\.convs\.(\d+)\.weight")
_LAYERS_PER_HALVING = 4
_COARSE_REDUCTION = 16


def import_3dpsp(path: str | Path) -> Any:
    """Return the encoder of a published checkpoint (`3DpSp.pt`), running no code that is in it.

    The file is a dictionary with `state_dict` (the encoder), `latent_avg` and `opts`; what else is
    in it, such as the optimiser's state, is not read into memory. Sizes are read off the tensors;
    the quirks of the published code are kept (see `systems.invert.encoder_config`).

    Raises:
        UserError: The file is absent, broken, holds more than tensors and plain values, or is not
            such a checkpoint.
    """
    encoder_class, config_class = network_classes("encoder")
    content = _plain_content(Path(path))
    state, latents = content.get("state_dict"), content.get("latent_avg")
    options = content.get("opts")
    if not _is_state(state) or not isinstance(latents, Tensor) or not isinstance(options, Mapping):
        raise UserError(
            f"{path} is not a 3DpSp checkpoint: expected a dictionary with tensors in 'state_dict' "
            f"and 'latent_avg' and options in 'opts'; got the keys {sorted(map(str, content))[:8]}"
        )
    assert isinstance(state, Mapping)
    config: Any = from_dict(config_class, _config_of(state, options, str(path)))
    expected = (config.num_ws, config.w_dim)
    if latents.numel() != config.num_ws * config.w_dim:
        raise UserError(f"{path}: latent_avg is {list(latents.shape)}; expected [1, *{expected}]")
    encoder = encoder_class(config)
    added = {
        "latent_mean": latents.reshape(expected).float(),
        "latent_std": torch.ones(expected),
    }
    fill_module(encoder, {**state, **added}, str(path))
    return encoder


def _plain_content(file: Path) -> dict[str, Any]:
    """Read a checkpoint of tensors and plain values; large tensors stay on disk until used."""
    try:
        with file.open("rb") as stream:
            zipped = stream.read(2) == b"PK"
        # mmap serves only torch's zip files; older ones are read whole.
        found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{file} is broken or holds more than tensors and plain values, which is refused: "
            f"{first_line}"
        ) from error
    if not isinstance(found, dict):
        raise UserError(f"{file} holds a {type(found).__name__}; expected a dictionary")
    return found


def _is_state(state: object) -> bool:
    return isinstance(state, Mapping) and all(isinstance(v, Tensor) for v in state.values())


def _config_of(
    state: Mapping[str, Tensor], options: Mapping[str, Any], source: str
) -> dict[str, Any]:
    """Read sizes off the tensors; how often the encoder is applied stands in the options."""
    try:
        widths, units = _groups(state)
        halvings = _halvings(state)
        deepest, shallowest = max(halvings), min(halvings)
        heads = tuple(halvings.count(level) for level in range(shallowest, shallowest + 3))
        has_camera = "styles.0.linear_camera.0.weight" in state
        camera_code = len(state["styles.0.linear_camera.0.weight"]) if has_camera else 0
        head_width = len(state["styles.0.convs.2.weight"])
        w_dim = len(state["styles.0.linear.weight"])
        channels = state["input_layer.0.weight"].shape[1]
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(
            f"{source} holds another network than 3DpSp's encoder ({error} is missing)"
        ) from error
    steps = options.get("n_iters_per_batch", 5) if channels == 6 else 1
    if deepest - shallowest > 2 or not isinstance(steps, int):
        raise UserError(f"{source}: its style heads or options are not those of 3DpSp")
    return {
        "image_size": _COARSE_REDUCTION * 2**shallowest,
        "image_channels": channels,
        "widths": list(widths),
        "units": list(units),
        "squeeze": "max",
        "head_width": head_width,
        "heads": list(heads),
        "w_dim": w_dim,
        "camera_code": camera_code,
        "restyle": {"num_steps": steps},
    }


def _groups(state: Mapping[str, Tensor]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the widths of the groups of residual units, and how many units each has."""
    found = (_BODY_WEIGHT.fullmatch(name) for name in state)
    numbers = sorted(int(match[1]) for match in found if match)
    depths = [len(state[f"body.{number}.res_layer.3.weight"]) for number in numbers]
    widths = tuple(dict.fromkeys(depths))
    return widths, tuple(depths.count(width) for width in widths)


def _halvings(state: Mapping[str, Tensor]) -> list[int]:
    """Return how often each style head halves its map, in order."""
    layers: dict[int, int] = {}
    for name in state:
        if match := _HEAD_WEIGHT.fullmatch(name):
            head, layer = int(match[1]), int(match[2])
            layers[head] = max(layers.get(head, 0), layer)
    return [(layers[head] + 2) // _LAYERS_PER_HALVING for head in sorted(layers)]
