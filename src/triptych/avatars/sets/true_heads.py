"""Ground truth of a seed's head, original or in a style: renders of its avatar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera, frontal_camera, random_views
from triptych.ops.colour import from_uint8

if TYPE_CHECKING:
    from triptych.avatars.people.identity import Identity


@dataclass(frozen=True)
class TrueViews:
    """Renders of one head.

    Attributes:
        image: Pictures [v, 3, h, h] in [-1, 1].
        alpha: Opacity [v, 1, h, h] in [0, 1].
        regions: Region of every pixel [v, h, h], integers; 0 is the background.
        depth: The camera's z of the surface [v, h, h], 0 where there is none; None where unknown.
    """

    image: Tensor
    alpha: Tensor
    regions: Tensor
    depth: Tensor | None = None

    def to(self, device: torch.device | str) -> TrueViews:
        """Return the renders on another device."""
        depth = None if self.depth is None else self.depth.to(device)
        return TrueViews(
            self.image.to(device), self.alpha.to(device), self.regions.to(device), depth
        )


class TrueHeads(Protocol):
    """Renders ground-truth views of heads."""

    def views(self, seed: int, style: str | None, camera: Camera, size: int) -> TrueViews:
        """Render a seed's head in a style (None: as it is) from v cameras, on any device."""


class AvatarHeads:
    """Heads built from the asset pack.

    Args:
        pack: Head asset pack; the default places when None.
        cached_heads: See `AvatarBuilder`.
        device: Where renders go; they are made on the CPU.

    Raises:
        UserError: There is no asset pack; the message says how to build one.
    """

    def __init__(
        self,
        pack: str | Path | None = None,
        cached_heads: int = 2,
        device: torch.device | str = "cpu",
    ) -> None:
        from triptych.avatars.assets.pack import load_assets
        from triptych.avatars.builder import AvatarBuilder

        self._assets, self._device = load_assets(pack), device
        self._builder = AvatarBuilder(self._assets, cached_heads=cached_heads)

    def views(self, seed: int, style: str | None, camera: Camera, size: int) -> TrueViews:
        """Render a seed's head in a style (None: as it is) from v cameras."""
        from triptych.avatars.styles.catalogue import style_named

        avatar = self._builder.build(self._identity(seed), style_named(style) if style else None)
        shots = [avatar.render(matrix.numpy(), size) for matrix in camera.cam2world.cpu()]
        rgb = torch.from_numpy(np.stack([shot.rgb for shot in shots]))
        views = TrueViews(
            image=from_uint8(rgb),
            alpha=torch.from_numpy(np.stack([shot.alpha for shot in shots]))[:, None].float(),
            regions=torch.from_numpy(np.stack([shot.regions for shot in shots])).long(),
            depth=torch.from_numpy(np.stack([shot.depth for shot in shots])),
        )
        return views.to(self._device)

    def _identity(self, seed: int) -> Identity:
        from triptych.avatars.people.identity import identity_from_attributes
        from triptych.models.attributes import attributes_from_seed

        return identity_from_attributes(attributes_from_seed(seed), self._assets.controls)


def unseen_cameras(
    seed: int, num_views: int, yaw_range: float = 0.55, pitch_range: float = 0.3
) -> Camera:
    """Return the cameras an evaluation uses for a seed: the exact front, then random ones.

    Args:
        seed: Seed of the random ones.
        num_views: Number of cameras.
        yaw_range: Largest yaw in radians, to both sides.
        pitch_range: Largest pitch in radians, up and down.
    """
    if num_views == 1:
        return frontal_camera()
    generator = torch.Generator().manual_seed(seed)
    others = random_views(
        num_views - 1, (-yaw_range, yaw_range), (-pitch_range, pitch_range), generator
    )
    return Camera.stack([frontal_camera(), others])
