"""How tri-plane portraits are stored: planes, codes, camera, decoder, super-resolution head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from triptych.camera import Camera
from triptych.config import from_dict, to_dict
from triptych.errors import check_whole
from triptych.fields.triplane import TriPlaneDecoder
from triptych.models.eg3d_config import EG3DConfig
from triptych.nn.superresolution import SuperResolution
from triptych.portrait.triplane_portrait import TriPlanePortrait
from triptych.weights.safetensors_file import built_from, with_halved

_STORED_AS_HALF = ("planes", "superresolution")
_MOST_CODES = 64
"""EG3D's largest generators take fewer than 30."""


class TriPlaneCodec:
    """Takes tri-plane portraits apart and puts them together; see `portrait_file`."""

    def encode(
        self, portrait: TriPlanePortrait, *, exact: bool
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and configuration; unless exact, planes and upsampling are halved."""
        tensors = _PortraitTensors.of(portrait).state_dict()
        stored = tensors if exact else with_halved(tensors, _STORED_AS_HALF)
        return stored, to_dict(portrait.config)

    def decode(
        self,
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
        provenance: dict[str, Any],
        source: str,
    ) -> TriPlanePortrait:
        """Return the portrait.

        Raises:
            UserError: A configuration value or a tensor does not fit.
        """
        read = from_dict(EG3DConfig, config)
        num_ws = tensors["ws"].shape[1] if "ws" in tensors and tensors["ws"].ndim == 3 else 1
        check_whole("style codes", num_ws, 1, _MOST_CODES)
        camera = Camera.from_label25(tensors["camera"]) if "camera" in tensors else None
        stored = built_from(lambda: _PortraitTensors(read, num_ws), tensors, source)
        assert camera is not None  # its shape was compared
        return TriPlanePortrait(
            planes=stored.planes,
            ws=stored.ws,
            decoder=stored.decoder,
            superresolution=stored.superresolution,
            config=read,
            camera=camera,
            provenance=provenance,
        )


class _PortraitTensors(nn.Module):
    """The tensors of a portrait file under their names, filled with zeros or a portrait's own."""

    planes: Tensor
    ws: Tensor
    camera: Tensor

    def __init__(self, config: EG3DConfig, num_ws: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        backbone, decoder = config.backbone, config.decoder
        side = backbone.plane_size
        planes = torch.zeros(1, 3, backbone.plane_channels, side, side)
        self.register_buffer("planes", planes)
        self.register_buffer("ws", torch.zeros(1, num_ws, config.w_dim))
        self.register_buffer("camera", torch.zeros(1, 25))
        self.decoder = TriPlaneDecoder(
            backbone.plane_channels,
            decoder.num_features,
            num_hidden=decoder.num_hidden,
            lr_multiplier=decoder.lr_multiplier,
            rng=rng,
        )
        self.superresolution: SuperResolution | None = None
        if config.superresolution is not None:
            self.superresolution = SuperResolution(
                decoder.num_features, config.w_dim, config.superresolution, rng=rng
            )

    @classmethod
    def of(cls, portrait: TriPlanePortrait) -> _PortraitTensors:
        tensors = cls(portrait.config, portrait.ws.shape[1])
        tensors.planes, tensors.ws = portrait.planes, portrait.ws
        tensors.camera = portrait.camera.label25()
        tensors.decoder = portrait.decoder
        tensors.superresolution = portrait.superresolution
        return tensors


CODEC = TriPlaneCodec()
