"""What a frozen volume shows of training heads, kept for the decoder that learns from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.camera import Camera
from triptych.render.rays import camera_rays
from triptych.render.rendering import Rendering, rendering_of
from triptych.systems.compose.fast_regions import FastRegions
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.region_rays import plan_depths


@dataclass(frozen=True, eq=False)
class DecodedBatch:
    """Rendered maps with the pictures that should be decoded from them.

    Attributes:
        rendered: Maps of b pictures.
        image: True pictures [b, 3, H, H] in [-1, 1].
        regions: True regions [b, H, H], integers.
    """

    rendered: Rendering
    image: Tensor
    regions: Tensor


class RenderedMaps:
    """Renders heads one by one and keeps the last of them, so that a step renders one at most.

    Args:
        generator: Its volume does not change.
        shards: The heads.
        kept: Heads that are kept; at 64 rays and 48 features one takes 3 MB.
        refresh_steps: Draws between two new heads once that many are kept.
    """

    def __init__(
        self, generator: RegionGenerator, shards: ShardSet, *, kept: int, refresh_steps: int
    ) -> None:
        self.generator, self.shards = generator, shards
        self.kept, self.refresh_steps = kept, refresh_steps
        self._heads: list[tuple[int, list[Tensor]]] = []
        self._draws = 0

    def draw(self, count: int, rng: np.random.Generator) -> DecodedBatch:
        """Draw pictures of kept heads, perhaps after rendering a new head."""
        full = len(self._heads) >= min(self.kept, len(self.shards))
        if not full or self._draws % self.refresh_steps == 0:
            head = int(rng.integers(len(self.shards)))
            self._heads = [*self._heads, (head, _halved(self.views(head)))][-self.kept :]
        self._draws += 1
        drawn = [
            (*self._heads[rng.integers(len(self._heads))], int(rng.integers(self.shards.num_views)))
            for _ in range(count)
        ]
        joined = _joined([(parts, view) for _, parts, view in drawn])
        device = joined.alpha.device
        images = [true_picture(self.shards, head, view) for head, _, view in drawn]
        regions = [true_regions(self.shards, head, view) for head, _, view in drawn]
        return DecodedBatch(joined, torch.stack(images).to(device), torch.stack(regions).to(device))

    @torch.no_grad()
    def views(self, head: int) -> Rendering:
        """Return the maps of all views of a head."""
        generator, device = self.generator, self.generator.renderer.sigmoid_beta.device
        attributes = torch.from_numpy(np.array(self.shards.get("attributes", head)))[None]
        field = generator.field(generator.codes_of_attributes(attributes.to(device)))
        cam2world = torch.from_numpy(np.array(self.shards.get("cam2world", head)))
        camera = Camera.with_focal(cam2world).to(device)
        size = generator.config.render_size
        rays = camera_rays(camera, size)
        depths = plan_depths(rays, camera, generator.config)
        fast = FastRegions(replace(field, with_features=False), generator.rendering_config())
        rendered = fast.cast(replace(field, camera=camera), rays, depths)
        return rendering_of(rendered, size)


def true_picture(shards: ShardSet, head: int, view: int) -> Tensor:
    """Return a render [3, h, h] in [-1, 1]."""
    rgb = torch.from_numpy(np.array(shards.get("rgb", head)[0, view]))
    return rgb.permute(2, 0, 1) / 127.5 - 1


def true_regions(shards: ShardSet, head: int, view: int) -> Tensor:
    """Return the region of each pixel [h, h]."""
    return torch.from_numpy(np.array(shards.get("regions", head)[view])).long()


def _halved(rendered: Rendering) -> list[Tensor]:
    """Return what a rendering consists of: features, of which the colours are part, and maps."""
    assert rendered.regions is not None
    parts = (rendered.features, rendered.depth, rendered.alpha, rendered.regions)
    return [part.half() for part in parts]


def _joined(views: list[tuple[list[Tensor], int]]) -> Rendering:
    parts = zip(*([part[view] for part in parts] for parts, view in views), strict=True)
    features, depth, alpha, regions = (torch.stack(part).float() for part in parts)
    image = features[:, :3]
    return Rendering(image, image, features, depth, alpha, regions)
