"""Where the surface was last seen in every view, so that rays need few samples."""

from __future__ import annotations

from torch import Tensor


class SurfaceMemory:
    """Distance of the surface for every pixel of every view, kept up to date while it moves.

    The memory starts with the depth of the original head. Whatever is rendered later replaces it,
    so a head that grows ears or loses its hair is followed; rays without a surface are searched
    over their whole length.

    Attributes:
        depth: Distance along the ray [v, pixels].
        known: Whether the ray meets a surface [v, pixels], bool.
    """

    def __init__(self, depth: Tensor, opacity: Tensor) -> None:
        """Start from pictures of depth and opacity, both [v, 1, h, w]."""
        self._shape = depth.shape[2:]
        self.depth = depth.flatten(1).clone()
        self.known = opacity.flatten(1) > 0.5

    def pictures(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Return depth and whether it is known for all pixels of views [b], each [b, h, w]."""
        return (
            self.depth[views].unflatten(1, self._shape),
            self.known[views].unflatten(1, self._shape),
        )

    def learn(self, views: Tensor, pixels: Tensor, depth: Tensor, opacity: Tensor) -> None:
        """Remember rendered depth and opacity [b, r] of pixels [b, r] of views [b]."""
        self.depth[views[:, None], pixels] = depth
        self.known[views[:, None], pixels] = (opacity > 0.5) & depth.isfinite()

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs."""
        return {"depth": self.depth, "known": self.known}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a state returned by `state`."""
        self.depth.copy_(state["depth"])
        self.known.copy_(state["known"])
