"""The fast path beside the exact one: everything of one portrait that is prepared once.

On a CPU rays go through a compiled kernel and networks run with the portrait's style multiplied in.
On other devices rays skip empty space and the networks are the exact ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from triptych.fields.folded_triplane import FoldedTriPlane, fold
from triptych.fields.triplane import TriPlaneField
from triptych.nn.styled_synthesis import StyledSuperResolution, has_styled_form
from triptych.nn.superresolution import SuperResolution
from triptych.ops.placement import in_cpu_memory
from triptych.ops.precision import PathTaken, RenderPath, fast_dtype
from triptych.render.fast_rays import render_rays_fast
from triptych.render.field_geometry import geometry_grid
from triptych.render.lattice_density import fast_density_grid, fast_occupancy_grid
from triptych.render.occupancy import OccupancyGrid, everywhere, occupancy_grid
from triptych.render.occupied_rays import render_rays_with_occupancy
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig, RenderedRays

_SMALLEST_GRID = 64


@dataclass(frozen=True, eq=False)
class FastRenderer:
    """Renders one portrait fast, without gradients.

    What does not depend on the camera is computed when it is first needed and kept.

    Attributes:
        field: The portrait's field, of batch 1.
        sampling: How its rays are sampled and composited.
        ws: Its style codes [1, k, d].
        superresolution: Its super-resolution head, or None.
    """

    field: TriPlaneField
    sampling: RenderConfig
    ws: Tensor
    superresolution: SuperResolution | None

    @cached_property
    def occupancy(self) -> OccupancyGrid:
        """Where the portrait is occupied, in cells of two plane pixels: enough for thin hair."""
        if self._on_cpu:
            return fast_occupancy_grid(self.field, self.sampling, self._grid_size)
        device = self.field.planes.device
        return occupancy_grid(self.field, self.sampling, size=self._grid_size, device=device)

    def cast(self, rays: Rays, *, only_once: bool = False) -> RenderedRays:
        """Render rays [b, r, 3] as `renderer.render_rays` does.

        Args:
            rays: The rays.
            only_once: No others follow. Then no occupancy grid is made, if that takes longer than
                these rays.
        """
        if self._on_cpu:
            skips = not only_once or self._grid_size**3 < self._num_samples(rays)
            grid = self.occupancy if skips else everywhere(self.field.box_size)
            return render_rays_fast(self._folded, rays, self.sampling, grid)
        return render_rays_with_occupancy(self.field, rays, self.sampling, self.occupancy)

    def upsample(self, features: Tensor, path: RenderPath) -> Tensor:
        """Return images [v, 3, H, H] of features [v, c, h, h]."""
        head = self.superresolution
        assert head is not None
        if not has_styled_form(head):
            return head(features, self.ws.expand(features.shape[0], -1, -1))
        dtype = fast_dtype(path, features.device)
        if dtype not in self._styled_heads:
            self._styled_heads[dtype] = StyledSuperResolution.of(head, self.ws, dtype)
        return self._styled_heads[dtype](features)

    def path_taken(self, path: RenderPath) -> PathTaken:
        """Say which arithmetic makes pictures on a fast path."""
        head = self.superresolution
        if head is None or not has_styled_form(head):
            return "fast-float32"
        dtype = fast_dtype(path, self.ws.device)
        return "fast-bfloat16" if dtype == torch.bfloat16 else "fast-float32"

    def density_grid(self, resolution: int) -> Tensor:
        """Return raw densities [n, n, n] as `field_geometry.geometry_grid` does."""
        if self._on_cpu:
            return fast_density_grid(self.field, resolution)
        planes = self.field.planes
        return geometry_grid(self.field.geometry, self.field.box_size, resolution, planes.device)

    @property
    def _grid_size(self) -> int:
        return max(_SMALLEST_GRID, self.field.planes.shape[-1] // 2)

    def _num_samples(self, rays: Rays) -> int:
        per_ray = self.sampling.num_coarse + self.sampling.num_fine
        return rays.origins.shape[0] * rays.origins.shape[1] * per_ray

    @property
    def _on_cpu(self) -> bool:
        return in_cpu_memory(self.field.planes)

    @cached_property
    def _folded(self) -> FoldedTriPlane:
        return fold(self.field)

    @cached_property
    def _styled_heads(self) -> dict[torch.dtype, StyledSuperResolution]:
        return {}
