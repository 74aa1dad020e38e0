"""Planes of one head, fitted to pictures whose depth is known.

Given planes are the start and their decoder is held. A ray takes its few samples where the pictures
show a surface and where they pass one, so that space beside the head is emptied. Space far from the
head as it was is held empty by a loss of its own: no picture need see what is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from triptych.fields.triplane import TriPlaneField
from triptych.render.empty_space import EmptySpace
from triptych.render.guided_rays import GuidedSampling, guided_depths, rays_through
from triptych.render.nearby_surfaces import spread_outwards, surfaces_beside
from triptych.render.occupancy import OccupancyGrid
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig, RenderedRays, render_at_depths
from triptych.training.schedules import warmup_cosine

Perceptual = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class PlaneFitConfig:
    """How planes are fitted.

    Attributes:
        steps: Optimiser steps.
        rays: Rays per step that are drawn one by one.
        patches: Square patches of rays per step, for the perceptual term.
        patch: Side of a patch in rays.
        far_share: Share of the rays drawn from whole pictures; the others meet the head or pass
            within `reach` pixels of it.
        learning_rate: Peak rate of Adam; it follows a cosine.
        final_rate: Rate at the end, as a fraction of the peak.
        num_spread, num_guided, reach: Samples of a ray; see `GuidedSampling`.
        l1, mse, opacity, depth, perceptual: Weights of the loss terms; colours are compared on
            [0, 1], patches by the perceptual distance.
        empty: Weight of the empty-space loss.
        empty_points: Points of it per step.
        empty_margin: How far from the head as it was density may be added, in world units.
    """

    steps: int = 220
    rays: int = 5500
    patches: int = 0
    patch: int = 32
    far_share: float = 0.15
    learning_rate: float = 0.05
    final_rate: float = 0.05
    num_spread: int = 8
    num_guided: int = 6
    reach: int = 16
    l1: float = 1.0
    mse: float = 2.0
    opacity: float = 0.5
    depth: float = 1.0
    perceptual: float = 0.2
    empty: float = 0.2
    empty_points: int = 1000
    empty_margin: float = 0.06


@dataclass(frozen=True, eq=False)
class DepthViews:
    """Pictures of a head with depth.

    Attributes:
        image: Pictures [v, 3, h, h] in [-1, 1].
        alpha: Opacity [v, h, h] in [0, 1].
        depth: The camera's z of the surface [v, h, h]; 0 where there is none.
        cam2world: Cameras [v, 4, 4].
        focal: Their focal length, normalised by the picture size.
    """

    image: Tensor
    alpha: Tensor
    depth: Tensor
    cam2world: Tensor
    focal: float


class PlaneFitting:
    """The state of a fitting between two steps.

    Args:
        field: The planes to start from and the decoder that is held.
        views: What the planes should show.
        rendering: How rays are composited; its limits are numbers.
        config: How to fit.
        perceptual: Distance [b] of two batches of pictures; None leaves the term out.
        occupancy: Where the head is at the start; None leaves out the empty-space loss.
        seed: Seed of all draws.

    Attributes:
        planes: The planes [1, 3, c, h, w] so far.

    Raises:
        UserError: The ray limits are automatic.
    """

    def __init__(
        self,
        field: TriPlaneField,
        views: DepthViews,
        rendering: RenderConfig,
        config: PlaneFitConfig,
        *,
        perceptual: Perceptual | None = None,
        occupancy: OccupancyGrid | None = None,
        seed: int = 0,
    ) -> None:
        near, far = rendering.fixed_limits("fitting planes")
        self.views, self.rendering, self.config = views, rendering, config
        self.perceptual = perceptual
        self.planes = field.planes.detach().clone().requires_grad_(True)
        self._field = field
        self._optimiser = torch.optim.Adam([self.planes], betas=(0.9, 0.99))
        self._generator = torch.Generator().manual_seed(seed)
        self._sampling = GuidedSampling(
            num_spread=config.num_spread,
            num_guided=config.num_guided,
            near=near,
            far=far,
        )
        self._surface, self._near = spread_outwards(views.depth, views.depth > 0, config.reach)
        self._close = self._near.flatten().nonzero()[:, 0]
        self._colours = views.image.permute(0, 2, 3, 1).reshape(-1, 3)
        self._empty_space: EmptySpace | None = None
        if occupancy is not None and config.empty:
            self._empty_space = EmptySpace.round_head(occupancy, rendering, config.empty_margin)

    def run(self, progress: Callable[[int, int], None] | None = None) -> Tensor:
        """Do all steps and return the planes [1, 3, c, h, w].

        Args:
            progress: Called with (steps done, all steps).
        """
        for step in range(self.config.steps):
            self.advance(step / self.config.steps)
            if progress is not None:
                progress(step + 1, self.config.steps)
        return self.planes.detach()

    def advance(self, fraction: float) -> None:
        """Do one step at a fraction of all steps."""
        config = self.config
        rate = warmup_cosine(1, fraction, warmup_steps=1, final=config.final_rate)
        self._optimiser.param_groups[0]["lr"] = config.learning_rate * rate
        self._optimiser.zero_grad(set_to_none=True)
        self.loss().backward()
        self._optimiser.step()

    def loss(self) -> Tensor:
        """Draw rays and return their loss []."""
        config, size = self.config, self.views.image.shape[-1]
        patches = config.patches if self.perceptual is not None else 0
        index = torch.cat([self._single_rays(), self._patches(patches)])
        field = replace(self._field, planes=self.planes)
        shown, length = self._rendered(field, index // size**2, index % size**2)
        pred, target = shown.features[0, :, :3], self._colours[index]
        difference = (pred - target) / 2
        alpha, pred_alpha = self.views.alpha.flatten()[index], shown.alpha[0, :, 0]
        away = shown.depth[0, :, 0] - self.views.depth.flatten()[index] * length
        solid = (alpha > 0.99).float()
        loss = (
            config.l1 * difference.abs().mean()
            + config.mse * difference.square().mean()
            + config.opacity * (pred_alpha - alpha).abs().mean()
            + config.depth * (away.abs() * pred_alpha * solid).mean()
        )
        if self.perceptual is not None and patches:
            pictures = (self._as_patches(colours, patches) for colours in (pred, target))
            loss = loss + config.perceptual * self.perceptual(*pictures).mean()
        if self._empty_space is not None:
            loss = loss + config.empty * self._empty_space.empty_space_loss(
                field, config.empty_points, self._generator
            )
        return loss

    def _single_rays(self) -> Tensor:
        """Draw pixels, numbered through all views [r]."""
        far = round(self.config.far_share * self.config.rays)
        anywhere = self._draw(self._near.numel(), far)
        close = self._draw(len(self._close), self.config.rays - far)
        return torch.cat([anywhere, self._close[close]])

    def _patches(self, count: int) -> Tensor:
        """Draw patches round pixels at the head, their pixels numbered through all views [r]."""
        size, side = self._near.shape[-1], min(self.config.patch, self._near.shape[-1])
        centre = self._close[self._draw(len(self._close), count)]
        view, place = centre // size**2, centre % size**2
        top = (place // size - side // 2).clamp(0, size - side)
        left = (place % size - side // 2).clamp(0, size - side)
        steps = torch.arange(side)
        rows, columns = top[:, None] + steps, left[:, None] + steps
        pixels = rows[:, :, None] * size + columns[:, None, :]
        return (view[:, None, None] * size**2 + pixels).flatten()

    def _as_patches(self, colours: Tensor, count: int) -> Tensor:
        side = min(self.config.patch, self._near.shape[-1])
        patches = colours[len(colours) - count * side**2 :]
        return patches.reshape(count, side, side, 3).permute(0, 3, 1, 2)

    def _rendered(
        self, field: TriPlaneField, view: Tensor, place: Tensor
    ) -> tuple[RenderedRays, Tensor]:
        """Render pixels [r] of views [r]; returns distances along a ray per unit of z [r] too."""
        size = self._near.shape[-1]
        pixels = torch.stack([place % size, place // size], -1)[:, None]
        origins, directions, length = rays_through(
            self.views.cam2world[view], pixels.float(), size, self.views.focal
        )
        rays = Rays(origins[:, 0][None], directions[:, 0][None])
        depths = self._depths(view, pixels, length)
        return render_at_depths(field, rays, depths[:, 0][None], self.rendering), length[:, 0]

    def _depths(self, view: Tensor, pixels: Tensor, length: Tensor) -> Tensor:
        """Choose samples [r, 1, s] round the surfaces at pixels [r, 1, 2] and beside them."""
        surfaces, near = surfaces_beside(
            self._surface,
            self._near,
            view[:, None],
            pixels,
            self.config.num_guided,
            self._generator,
        )
        size = self._near.shape[-1]
        index = view * size**2 + pixels[:, 0, 1] * size + pixels[:, 0, 0]
        meets = self.views.alpha.flatten()[index][:, None] > 0.5
        return guided_depths(
            surfaces * length[..., None], near, meets, self._sampling, self._generator
        )

    def _draw(self, end: int, count: int) -> Tensor:
        return torch.randint(end, (count,), generator=self._generator)
