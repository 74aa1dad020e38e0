"""View: pictures of a portrait from one or more cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.errors import UserError, check_whole
from triptych.ops.precision import PathTaken
from triptych.ops.resize import resize
from triptych.render.rendering import Rendering


@dataclass(frozen=True, eq=False)
class View:
    """Pictures of v views of a portrait.

    Attributes:
        image: Final images [v, 3, H, W], nominally in [-1, 1].
        image_raw: Images as rendered, before super-resolution [v, 3, h, w].
        depth: Distance along the unit ray [v, 1, h, w].
        alpha: How much of the background is hidden [v, 1, h, w], in [0, 1].
        regions: Share of each region [v, k, H, W] where the portrait has regions, else None.
        path: Which arithmetic computed the pictures.
    """

    image: Tensor
    image_raw: Tensor
    depth: Tensor
    alpha: Tensor
    regions: Tensor | None = None
    path: PathTaken = "exact"

    @classmethod
    def of(cls, rendering: Rendering, path: PathTaken) -> View:
        """Return a rendering without its features."""
        return cls(
            rendering.image,
            rendering.image_raw,
            rendering.depth,
            rendering.alpha,
            rendering.regions,
            path,
        )

    @classmethod
    @checked
    def cat(cls, views: Sequence[View]) -> View:
        """Join views of one portrait, all computed on the same path, in order; at least one."""
        if not views:
            raise UserError("views: got none to join; expected at least one")
        regions = [view.regions for view in views if view.regions is not None]
        return cls(
            torch.cat([view.image for view in views]),
            torch.cat([view.image_raw for view in views]),
            torch.cat([view.depth for view in views]),
            torch.cat([view.alpha for view in views]),
            torch.cat(regions) if regions else None,
            views[0].path,
        )

    def __len__(self) -> int:
        return int(self.image.shape[0])

    def __getitem__(self, index: int | slice) -> View:
        """Select views; an integer gives a View of one."""
        if isinstance(index, int):
            index = range(len(self))[index]  # raises IndexError, and so ends iteration
            index = slice(index, index + 1)
        return self._map(lambda tensor: tensor[index])

    @checked
    def to(self, device: torch.device | str) -> View:
        """Return the pictures on another device."""
        return self._map(lambda tensor: tensor.to(device))

    @checked
    def resized(self, size: int) -> View:
        """Return image and regions at that height and width; the others keep the size of rays."""
        check_whole("picture size", size, 1, 16_384)

        def fit(tensor: Tensor) -> Tensor:
            return tensor if tensor.shape[-1] == size else resize(tensor, size)

        regions = None if self.regions is None else fit(self.regions)
        return replace(self, image=fit(self.image), regions=regions)

    @checked
    def averaged(self, factor: int) -> View:
        """Return means over blocks of pixels; depth counts by how solid each pixel is.

        For views whose rays are cast at the image size.
        """
        check_whole("factor", factor, 1, self.image.shape[-1])
        if factor == 1:
            return self
        pool = torch.nn.functional.avg_pool2d
        image, alpha = pool(self.image, factor), pool(self.alpha, factor)
        weight = self.alpha.clamp_min(1e-6)
        depth = pool(self.depth * weight, factor) / pool(weight, factor)
        regions = None if self.regions is None else pool(self.regions, factor)
        return View(image, image, depth, alpha, regions, self.path)

    def _map(self, change: Callable[[Tensor], Tensor]) -> View:
        regions = None if self.regions is None else change(self.regions)
        return View(
            change(self.image),
            change(self.image_raw),
            change(self.depth),
            change(self.alpha),
            regions,
            self.path,
        )
