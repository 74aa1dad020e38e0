"""A portrait without planes or networks: two balls, each a region, of densities or of distances.

Whatever a renderer or an exporter shows of it can be derived by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from triptych.camera import Angle, Camera, look_at_camera
from triptych.fields.base import FieldSample, GeometryKind
from triptych.portrait import Portrait
from triptych.portrait.portrait_file import register_codec
from triptych.render.marching_rules import SdfRule
from triptych.render.renderer import RenderConfig

LEFT, RIGHT = (-0.2, 0.0, 0.0), (0.15, 0.0, 0.05)
LEFT_RADIUS, RIGHT_RADIUS = 0.12, 0.2
LEFT_COLOUR, RIGHT_COLOUR = (0.75, 0.25, 0.125), (0.0, 0.5, 1.0)
_STEEP = 2000.0
_EVEN_RAYS = RenderConfig(num_coarse=128, num_fine=64, background=0.5, density_gain=30.0)
SDF = SdfRule(beta=0.002, last_sample="ignored")


@dataclass(frozen=True)
class TwoBalls:
    """Two balls of one colour each; region 0 is the left one and region 1 the right one.

    Raw densities rise steeply through 0 at the surfaces up to `inside`; distances are exact.
    """

    geometry_kind: GeometryKind
    inside: float = 30.0
    box_size: float = 1.0

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        left, right = self._distances(points)
        shares = torch.stack([left <= right, right < left], dim=-1).to(points)
        colours = shares @ points.new_tensor([LEFT_COLOUR, RIGHT_COLOUR])
        return FieldSample(self.geometry(points), colours, shares)

    def geometry(self, points: Tensor) -> Tensor:
        distance = torch.minimum(*self._distances(points))[..., None]
        if self.geometry_kind == "sdf":
            return distance
        return (-_STEEP * distance).clamp(-50.0, self.inside)

    def _distances(self, points: Tensor) -> tuple[Tensor, Tensor]:
        left = (points - points.new_tensor(LEFT)).norm(dim=-1) - LEFT_RADIUS
        right = (points - points.new_tensor(RIGHT)).norm(dim=-1) - RIGHT_RADIUS
        return left, right


def two_balls_rendering(kind: GeometryKind) -> RenderConfig:
    """Return the rendering that fits: EG3D's rule, or CNeRF's with transparent surroundings."""
    return _EVEN_RAYS if kind == "density" else replace(_EVEN_RAYS, sdf=SDF)


@dataclass(frozen=True, eq=False)
class TwoBallsPortrait(Portrait):
    """The two balls as a portrait of 64 pixels, its cameras aimed at the origin."""

    geometry_kind: GeometryKind = "density"
    camera: Camera = field(default_factory=lambda: _orbit(0.0, 0.0))
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def field(self) -> TwoBalls:
        return TwoBalls(self.geometry_kind)

    @property
    def rendering(self) -> RenderConfig:
        return two_balls_rendering(self.geometry_kind)

    @property
    def image_size(self) -> int:
        return 64

    def orbit(self, yaw: Angle = 0.0, pitch: Angle = 0.0) -> Camera:
        return _orbit(yaw, pitch)

    def to(self, device: torch.device | str) -> TwoBallsPortrait:
        return replace(self, camera=self.camera.to(device))


class TwoBallsCodec:
    """Stores the camera; the rest is known."""

    def encode(
        self, portrait: TwoBallsPortrait, *, exact: bool
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {"camera": portrait.camera.label25()}, {"geometry_kind": portrait.geometry_kind}

    def decode(
        self,
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
        provenance: dict[str, Any],
        source: str,
    ) -> TwoBallsPortrait:
        camera = Camera.from_label25(tensors["camera"])
        return TwoBallsPortrait(config["geometry_kind"], camera, provenance)


def _orbit(yaw: Angle, pitch: Angle) -> Camera:
    return look_at_camera(yaw, pitch, target=(0.0, 0.0, 0.0))


register_codec("TwoBallsPortrait", TwoBallsCodec())
