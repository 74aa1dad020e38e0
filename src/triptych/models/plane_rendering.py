"""Planes with their decoder and super-resolution network, seen from cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField
from triptych.models.eg3d_config import EG3DConfig
from triptych.nn.superresolution import SuperResolution
from triptych.nn.synthesis_layers import Edits
from triptych.ops.modulated_conv import Modulation
from triptych.render.occupancy import OccupancyGrid
from triptych.render.occupied_rays import render_rays_with_occupancy
from triptych.render.rays import camera_rays
from triptych.render.renderer import Draws, render_rays
from triptych.render.rendering import Rendering, rendering_of


@dataclass(frozen=True, eq=False)
class PlaneRenderer:
    """What every network that makes planes shares: reading them, casting rays, up-sampling.

    Attributes:
        config: Planes, rays and cameras; how planes are made does not matter here.
        decoder: Turns plane features into density and colour.
        superresolution: Up-samples rendered features; None where rays are cast at the image size.
    """

    config: EG3DConfig
    decoder: TriPlaneDecoder
    superresolution: SuperResolution | None

    def field(self, planes: Tensor) -> TriPlaneField:
        """Return the radiance field of planes [b, 3, c, h, w]."""
        config = self.config
        return TriPlaneField(
            planes, self.decoder, config.box_size, config.plane_axes, config.beyond_box
        )

    def render(
        self,
        planes: Tensor,
        ws: Tensor,
        camera: Camera,
        *,
        render_size: int | None = None,
        occupancy: OccupancyGrid | None = None,
        generator: torch.Generator | None = None,
        draws: Draws | None = None,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> Rendering:
        """Render planes: one portrait from v cameras, or v portraits from a camera each.

        Args:
            planes: Planes [1 or v, 3, c, h, w].
            ws: Style codes [1 or v, k, w_dim], for the super-resolution network.
            camera: v cameras.
            render_size: Height and width at which rays are cast; None takes the configured one.
            occupancy: Grid of these planes (of one portrait): renders faster, without gradients,
                and shows the same up to what is invisible. None is the exact path.
            generator: Source of sampling jitter; None renders deterministically.
            draws: The random numbers themselves, instead of a generator.
            modulation: Where the styles of the super-resolution head are multiplied in, see
                `SynthesisLayer`.
            edits: Changes of layers of that head; see `nn.synthesis_layers.LayerEdit`.
        """
        size = self.config.render_size if render_size is None else render_size
        views = len(camera)
        if {planes.shape[0], ws.shape[0]} - {1, views}:
            raise UserError(
                f"cannot pair {planes.shape[0]} portraits ({ws.shape[0]} style codes) with "
                f"{views} cameras; expected one portrait, or as many as cameras"
            )
        rays, config = camera_rays(camera, size), self.config.rendering
        field = self.field(planes)
        if occupancy is None:
            rendered = render_rays(field, rays, config, generator=generator, draws=draws)
        elif planes.shape[0] != 1:
            raise UserError(
                f"an occupancy grid belongs to one portrait: got planes of {planes.shape[0]}"
            )
        else:
            rendered = render_rays_with_occupancy(
                field, rays, config, occupancy, generator=generator, draws=draws
            )
        rendering = rendering_of(rendered, size)
        if self.superresolution is None:
            return rendering
        codes = ws.expand(rendering.features.shape[0], -1, -1)
        image = self.superresolution(
            rendering.features, codes, generator=generator, modulation=modulation, edits=edits
        )
        return replace(rendering, image=image)
