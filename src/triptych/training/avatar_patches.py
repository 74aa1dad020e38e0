"""Patches of rendered avatars, for recipes that learn from known cameras and depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.camera import FOCAL
from triptych.render.guided_rays import GuidedSampling, guided_depths, rays_through
from triptych.render.nearby_surfaces import nearby_surfaces
from triptych.render.patches import corner_round
from triptych.render.rays import Rays

# Small regions that differ from their surroundings: eye, brow, mouth, nose and ear.
_PARTS = (2, 3, 4, 5, 6)
_CLOTH = (8,)


@dataclass(frozen=True)
class PatchPlan:
    """Which patches make a batch.

    Attributes:
        heads: Heads per batch.
        views: Cameras per head.
        patch: Side of a patch in rays.
        strides: Pixel steps between the rays of a patch; drawn uniformly.
        face_share: Share of the patches that are centred on eyes, brows, mouth, nose or ears.
        cloth_share: Share of the patches that are centred on neck and cloth.
    """

    heads: int
    views: int
    patch: int
    strides: tuple[int, ...]
    face_share: float
    cloth_share: float = 0.0


@dataclass(frozen=True, eq=False)
class PatchBatch:
    """Patches of rendered avatars: b = heads * views pictures of r = patch * patch rays.

    Attributes:
        attributes: Of each head [heads, ATTRIBUTE_DIM].
        cam2world: [b, 4, 4].
        pixels: Column and row [b, r, 2].
        rgb: Over the background [b, r, 3] in [-1, 1].
        opacity: [b, r] in [0, 1].
        depth: Camera z [b, r]; 0 where empty.
        depth_maps: Of the whole pictures [b, h, w].
        regions: Region of each pixel [b, r], integers.
    """

    attributes: Tensor
    cam2world: Tensor
    pixels: Tensor
    rgb: Tensor
    opacity: Tensor
    depth: Tensor
    depth_maps: Tensor
    regions: Tensor

    def to(self, device: torch.device | str) -> PatchBatch:
        """Return the batch on another device."""
        return PatchBatch(**{name: value.to(device) for name, value in vars(self).items()})

    def guided_rays(
        self, sampling: GuidedSampling, generator: torch.Generator
    ) -> tuple[Rays, Tensor, Tensor]:
        """Return the rays of all pictures and samples round the surfaces they hit or graze.

        Returns:
            Rays [b, r, 3], depths along them [b, r, s], and the distance along the unit ray per
            unit of the camera's z [b, r].
        """
        size = self.depth_maps.shape[-1]
        origins, directions, length = rays_through(self.cam2world, self.pixels, size, FOCAL)
        maps = self.depth_maps
        surfaces, near = nearby_surfaces(
            maps, maps > 0, self.pixels, sampling.num_guided, sampling.reach, generator
        )
        distances = surfaces * length[..., None]
        depths = guided_depths(distances, near, self.opacity > 0.5, sampling, generator)
        return Rays(origins, directions), depths, length


class AvatarPatches:
    """Draws batches of patches from avatar shards.

    Args:
        shards: The avatars.
        plan: Which patches.
    """

    def __init__(self, shards: ShardSet, plan: PatchPlan) -> None:
        self.shards, self.plan = shards, plan

    def draw(self, generator: torch.Generator) -> PatchBatch:
        """Draw a batch, on the CPU."""
        plan, shards = self.plan, self.shards
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        parts: dict[str, list[np.ndarray]] = {
            name: []
            for name in ("cam2world", "pixels", "rgb", "alpha", "depth", "depth_maps", "regions")
        }
        heads = rng.integers(0, len(shards), plan.heads)
        for head in heads:
            for view in rng.permutation(shards.num_views)[: plan.views]:
                regions = shards.get("regions", head)[view]
                columns, rows = self.window(regions, rng)
                window = np.ix_(rows, columns)
                parts["cam2world"].append(shards.get("cam2world", head)[view])
                parts["rgb"].append(shards.get("rgb", head)[0, view][window])
                parts["alpha"].append(shards.get("alpha", head)[view][window])
                depth = np.array(shards.get("depth", head)[view], dtype=np.float32)
                parts["depth"].append(depth[window])
                parts["depth_maps"].append(depth)
                parts["regions"].append(regions[window])
                grid = np.meshgrid(columns, rows)
                parts["pixels"].append(np.stack(grid, -1))
        stacked = {name: np.stack(items) for name, items in parts.items()}
        pictures = len(stacked["rgb"])

        def flat(name: str) -> Tensor:
            values = torch.from_numpy(stacked[name].astype(np.float32))
            return values.reshape(pictures, plan.patch**2, -1).squeeze(-1)

        return PatchBatch(
            attributes=torch.from_numpy(np.stack([shards.get("attributes", h) for h in heads])),
            cam2world=torch.from_numpy(stacked["cam2world"]),
            pixels=flat("pixels"),
            rgb=flat("rgb") / 127.5 - 1,
            opacity=flat("alpha") / 255,
            depth=flat("depth"),
            depth_maps=torch.from_numpy(stacked["depth_maps"]),
            regions=flat("regions").long(),
        )

    def window(
        self, regions: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose the columns and rows of a patch, often around a part of the face."""
        size, side = regions.shape[0], self.plan.patch
        face, drawn = self.plan.face_share, rng.random()
        regions_in_focus = _PARTS if drawn < face else _CLOTH
        parts = np.flatnonzero(np.isin(regions, regions_in_focus))
        around_a_part = len(parts) > 0 and drawn < face + self.plan.cloth_share
        stride = int(rng.choice(self.plan.strides[:2] if around_a_part else self.plan.strides))
        centre = rng.choice(parts) if around_a_part else rng.integers(size * size)
        extent = stride * (side - 1) + 1
        jitter = rng.integers(-extent // 3, extent // 3 + 1, 2) if around_a_part else (0, 0)
        row, column = np.divmod(int(centre), size) + np.asarray(jitter)
        steps = stride * np.arange(side)
        return corner_round(column, extent, size) + steps, corner_round(row, extent, size) + steps
