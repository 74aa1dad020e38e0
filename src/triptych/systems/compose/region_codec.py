"""How portraits of regions are stored: codes, camera and the whole generator.

The generator goes with every portrait, its mapping too: so a portrait can be opened without the
model, and other seeds' regions can be put into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from triptych.camera import Camera
from triptych.config import from_dict, to_dict
from triptych.errors import UserError, shown
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionGeneratorConfig
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.weights.safetensors_file import built_from, with_halved

_STORED_AS_HALF = ("generator.decoder.", "generator.feature_transfer.")
"""Sine layers multiply rounding by their frequency; they keep their precision."""


class RegionCodec:
    """Takes portraits of regions apart and puts them together; see `portrait_file`."""

    def encode(
        self, portrait: RegionPortrait, *, exact: bool
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and configuration; unless exact, the decoder is halved."""
        tensors = _PortraitTensors.of(portrait).state_dict()
        config = {
            "generator": to_dict(portrait.generator.config),
            "only": None if portrait.only is None else list(portrait.only),
            "shown": None if portrait.shown is None else list(portrait.shown),
        }
        return tensors if exact else with_halved(tensors, _STORED_AS_HALF), config

    def decode(
        self,
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
        provenance: dict[str, Any],
        source: str,
    ) -> RegionPortrait:
        """Return the portrait.

        Raises:
            UserError: A configuration value or a tensor does not fit.
        """
        read = from_dict(RegionGeneratorConfig, config.get("generator", {}))
        only, shown = (_chosen(config, name, read, source) for name in ("only", "shown"))
        stored = built_from(lambda: _PortraitTensors(read), tensors, source)
        return RegionPortrait(
            generator=stored.generator,
            codes=stored.codes,
            decoder_code=stored.decoder_code,
            camera=Camera.from_label25(stored.camera),
            provenance=provenance,
            only=only,
            shown=shown,
        )


def _chosen(
    config: Mapping[str, Any], name: str, generator: RegionGeneratorConfig, source: str
) -> tuple[int, ...] | None:
    """Return the indices of some regions; None where there are none."""
    found = config.get(name)
    if found is None:
        return None
    fits = isinstance(found, list) and all(type(index) is int for index in found)
    if not fits or not all(0 <= index < generator.num_regions for index in found) or not found:
        raise UserError(
            f"{source}: '{name}' is {shown(found)}; expected indices of its "
            f"{generator.num_regions} regions"
        )
    return tuple(found)


class _PortraitTensors(nn.Module):
    """The tensors of a portrait file under their names, filled with zeros or a portrait's own."""

    codes: Tensor
    decoder_code: Tensor | None
    camera: Tensor

    def __init__(
        self, config: RegionGeneratorConfig, generator: RegionGenerator | None = None
    ) -> None:
        super().__init__()
        self.generator = generator or RegionGenerator(config)
        self.register_buffer("codes", torch.zeros(1, config.num_codes, config.style_dim))
        width = config.decoder.style_dim if config.decoder else 0
        self.register_buffer("decoder_code", torch.zeros(1, width) if config.decoder else None)
        self.register_buffer("camera", torch.zeros(1, 25))

    @classmethod
    def of(cls, portrait: RegionPortrait) -> _PortraitTensors:
        tensors = cls(portrait.generator.config, portrait.generator)
        tensors.codes, tensors.decoder_code = portrait.codes, portrait.decoder_code
        tensors.camera = portrait.camera.label25()
        return tensors


CODEC = RegionCodec()
