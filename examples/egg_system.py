"""A whole system in a page: a small network turns a seed into a coloured egg.

docs/add_a_system.md walks through it; tests/battery holds it to what every system is held to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from triptych.arguments import checked
from triptych.camera import Angle, Camera, look_at_camera
from triptych.errors import check_whole
from triptych.fields.base import FieldSample, GeometryKind
from triptych.ops.precision import check_network_dtype
from triptych.portrait import Portrait
from triptych.portrait.portrait_file import register_codec
from triptych.portrait.provenance import provenance_of
from triptych.render.renderer import RenderConfig


@dataclass(frozen=True, eq=False)
class EggField:
    """An ellipsoid with semi-axes [3] in world units and a colour [3] in [0, 1]."""

    axes: Tensor
    colour: Tensor
    geometry_kind: GeometryKind = "density"
    box_size: float = 1.0

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        return FieldSample(self.geometry(points), self.colour.expand(points.shape))

    def geometry(self, points: Tensor) -> Tensor:
        outside = (points / self.axes).norm(dim=-1, keepdim=True) - 1
        return (-400 * outside).clamp(-50, 30)


@dataclass(frozen=True, eq=False)
class EggPortrait(Portrait):
    """An egg with its camera; see `EggField`."""

    axes: Tensor
    colour: Tensor
    camera: Camera
    provenance: dict[str, Any]

    @property
    def field(self) -> EggField:
        return EggField(self.axes, self.colour)

    @property
    def rendering(self) -> RenderConfig:
        return RenderConfig(num_coarse=24, num_fine=12, background=0.5, density_gain=30.0)

    @property
    def image_size(self) -> int:
        return 48

    def orbit(self, yaw: Angle = 0.0, pitch: Angle = 0.0) -> Camera:
        return look_at_camera(yaw, pitch, target=(0.0, 0.0, 0.0))

    def to(self, device: torch.device | str) -> EggPortrait:
        axes, colour = self.axes.to(device), self.colour.to(device)
        return EggPortrait(axes, colour, self.camera.to(device), self.provenance)


class EggCodec:
    """Stores axes, colour and camera."""

    def encode(
        self, portrait: EggPortrait, *, exact: bool
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        camera = portrait.camera.label25()
        return {"axes": portrait.axes, "colour": portrait.colour, "camera": camera}, {}

    def decode(
        self,
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
        provenance: dict[str, Any],
        source: str,
    ) -> EggPortrait:
        camera = Camera.from_label25(tensors["camera"])
        return EggPortrait(tensors["axes"], tensors["colour"], camera, provenance)


register_codec("EggPortrait", EggCodec())


class EggPipeline:
    """Lays eggs.

    Args:
        network: Turns normal numbers [1, 4] into three axes and three colours, as logits [1, 6].
        name: Goes into the portraits' provenance.
        hashes: Hash of the network's file by name, for the same.
    """

    @checked
    def __init__(
        self, network: nn.Module, name: str = "unnamed", *, hashes: Mapping[str, str] | None = None
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.name, self.hashes = name, dict(hashes or {})

    @checked
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> EggPipeline:
        """Let the network compute on a device and in a precision, and return self."""
        if dtype is not None:
            check_network_dtype(dtype)
        self.network.to(device, dtype)
        return self

    @checked
    @torch.no_grad()
    def __call__(self, seed: int) -> EggPortrait:
        """Return the egg of a seed, a whole number of 32 bits.

        Raises:
            UserError: The seed is out of range.
        """
        check_whole("seed", seed, 0, 2**32 - 1)
        # Drawn on the CPU, so that a seed is the same egg on every device.
        latent = torch.randn(1, 4, generator=torch.Generator().manual_seed(int(seed)))
        weight = next(self.network.parameters())
        axes, colour = self.network(latent.to(weight)).float().sigmoid()[0].split(3)
        return EggPortrait(
            axes=0.2 + 0.25 * axes,
            colour=colour.clone(),
            camera=look_at_camera(0.0, 0.0, target=(0.0, 0.0, 0.0)).to(axes.device),
            provenance=provenance_of("egg", self.name, self.hashes, seed=int(seed)),
        )


def egg_network() -> nn.Module:
    """Return a network with random weights, the same each time."""
    network = nn.Linear(4, 6)
    rng = torch.Generator().manual_seed(0)
    nn.init.normal_(network.weight, generator=rng)
    nn.init.zeros_(network.bias)
    return network


if __name__ == "__main__":
    EggPipeline(egg_network())(3).save("egg.safetensors")
