"""Fitting planes to a coloured solid: points in space first, then rays through the renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress, Step, count_steps
from triptych.render.rays import Rays, camera_rays
from triptych.render.renderer import render_at_depths
from triptych.systems.lift.colours import Colours
from triptych.systems.lift.levels import PlaneLevels, rate_factor
from triptych.systems.lift.settings import LiftSettings, RaySettings, SpaceSettings
from triptych.systems.lift.shape import Shape
from triptych.systems.lift.solid import Solid
from triptych.systems.lift.targets import (
    DensityTarget,
    PointTargets,
    ViewTargets,
    photo_points,
    surface_points,
    view_targets,
)

SPACE, RAYS = "fitting in space", "fitting rays"

_IN_FRONT, _THICKNESS = 0.004, 0.014  # world units before the surface, and through it
_NEAR, _AROUND = 0.012, 0.07  # deviations of density points from the surface, world units
_SMALLEST_ERROR = 1e-4  # of squared colours: below it the error counts as squared
_HARD_GRID = 112
_FALSELY_SOLID, _FALSELY_EMPTY = (-4.0, -6.0), (4.0, 12.0)  # raw density: found, wanted
_HARD_SHARE = 2 / 3  # of the points in the box
_HARD_SPREAD = 0.012  # world units
_HARD_IN_SPACE, _HARD_IN_RAYS = (0.5, 0.7, 0.85), (0.0, 1 / 3, 2 / 3)
_VIEWS_PER_STEP = 6
_ANYWHERE = 0.15  # share of draws that take any pixel, not only those on or beside the head
_RAY_DEVIATIONS = (0.006, 0.02)  # of samples from the surface, world units


@dataclass(frozen=True, eq=False)
class FitTargets:
    """What the planes are fitted to.

    Attributes:
        solid: The shape.
        density: The same at any point.
        surface: Points all over the surface.
        photo: Points that the photo's pixels see.
    """

    solid: Solid
    density: DensityTarget
    surface: PointTargets
    photo: PointTargets


@torch.no_grad()
def fit_portrait(
    shape: Shape, colours: Colours, settings: LiftSettings, progress: Progress
) -> TriPlanePortrait:
    """Fit planes to a coloured solid: first in space, then through rays."""
    avatar, photo = shape.avatar, colours.photo
    device = avatar.planes.device
    rng = torch.Generator().manual_seed(settings.seed)
    surface = surface_points(colours, np.random.default_rng(settings.seed)).to(device)
    seen = photo_points(colours).to(device)
    targets = FitTargets(
        shape.solid,
        DensityTarget(shape.solid.density, shape.solid.box_size, device),
        surface,
        seen if len(seen.points) else surface,  # a person too thin to have an inside
    )
    levels = PlaneLevels(avatar, settings)
    step = count_steps(progress, SPACE, settings.space.steps)
    fit_in_space(levels, targets, settings.space, rng, step)
    rays = settings.rays
    step = count_steps(progress, RAYS, rays.steps)
    if rays.steps:
        background = avatar.config.rendering.background
        views = view_targets(colours, rays.size, background, rays.front_views, rays.side_views, rng)
        fit_rays(levels, targets, views, rays, rng, step)
    return levels.portrait(photo.camera.to(device))


def fit_in_space(
    levels: PlaneLevels,
    targets: FitTargets,
    settings: SpaceSettings,
    rng: torch.Generator,
    step_done: Step,
) -> None:
    """Fit colours and densities of points.

    Args:
        levels: What learns.
        targets: What to fit.
        settings: Steps and numbers of points.
        rng: Draws points, on the CPU.
        step_done: Called after each step.
    """
    levels.begin()
    levels.use(max(1, levels.number - 1))
    hard = _HardPoints(levels, targets.solid)
    for step in range(settings.steps):
        if step == int(settings.steps * settings.finest_from):
            levels.use(levels.number)
        if step in {int(settings.steps * share) for share in _HARD_IN_SPACE}:
            hard.search()
        coloured, wanted = _through_surface(targets, settings, rng)
        around = _density_points(targets.surface, hard, settings.density_points, rng)
        with torch.enable_grad():
            points = torch.cat([coloured, around])
            planes = levels.planes()
            sample = levels.field(planes).query(points[None])
            colours = sample.features[0, : len(coloured), :3] * 2 - 1
            error = ((colours - wanted).square() + _SMALLEST_ERROR).sqrt().mean()
            density = targets.density.error(sample.geometry[0, :, 0], points)
            loss = error + settings.density_weight * density
            factor = rate_factor(step, settings.steps, settings.first_rate, settings.last_rate, 10)
            levels.step(planes, loss, factor)
        step_done()
    levels.use(levels.number)
    levels.end()


def fit_rays(
    levels: PlaneLevels,
    targets: FitTargets,
    views: ViewTargets,
    settings: RaySettings,
    rng: torch.Generator,
    step_done: Step,
) -> None:
    """Fit views of the mesh and the photo through the renderer.

    Args:
        levels: What learns.
        targets: The densities are used.
        views: What is seen.
        settings: Steps, rays and samples.
        rng: Draws rays, on the CPU.
        step_done: Called after each step.
    """
    levels.begin()
    hard, rendering = _HardPoints(levels, targets.solid), levels.avatar.config.rendering
    limits = rendering.fixed_limits("lifting a photo")
    device = targets.surface.points.device
    rays = camera_rays(views.cameras, views.size)
    for step in range(settings.steps):
        if step in {int(settings.steps * share) for share in _HARD_IN_RAYS}:
            hard.search()
        view, pixel = _drawn_rays(views, settings.rays, rng)
        chosen = Rays(rays.origins[view, pixel][None], rays.directions[view, pixel][None])
        depths = _drawn_depths(views.distance[view, pixel], limits, settings, rng)
        around = _density_points(targets.surface, hard, settings.density_points, rng)
        wanted, hidden = views.images[view, pixel].to(device), views.alpha[view, pixel].to(device)
        with torch.enable_grad():
            planes = levels.planes()
            field = levels.field(planes)
            seen = render_at_depths(field, chosen.to(device), depths[None].to(device), rendering)
            error = seen.features[0, :, :3] - wanted
            loss = (error.square() + _SMALLEST_ERROR).sqrt().mean()
            alpha = (seen.alpha[0, :, 0] - hidden).abs().mean()
            density = targets.density.error(field.geometry(around[None])[0, :, 0], around)
            loss = loss + settings.alpha_weight * alpha + settings.density_weight * density
            factor = rate_factor(step, settings.steps, settings.first_rate, settings.last_rate, 5)
            levels.step(planes, loss, factor)
        step_done()
    levels.end()


class _HardPoints:
    """Lattice points where the fitted density is on the wrong side of the surface.

    Few points in the box are specks or holes; drawn evenly, they would hardly ever be met.
    """

    def __init__(self, levels: PlaneLevels, solid: Solid) -> None:
        wanted = solid.on_lattice(min(_HARD_GRID, solid.density.shape[0]))
        self._levels, self._box_size = levels, solid.box_size
        self._must_be_empty = wanted < _FALSELY_SOLID[1]
        self._must_be_solid = wanted > _FALSELY_EMPTY[1]
        self._points = torch.zeros(0, 3)

    def search(self) -> None:
        """Look for such points anew."""
        size = len(self._must_be_empty)
        portrait = self._levels.portrait(self._levels.avatar.camera)
        found = portrait.geometry_grid(size).cpu().numpy()
        wrong = (found > _FALSELY_SOLID[0]) & self._must_be_empty
        wrong |= (found < _FALSELY_EMPTY[0]) & self._must_be_solid
        numbers = np.argwhere(wrong) / (size - 1) - 0.5
        self._points = torch.from_numpy(numbers * self._box_size).float()

    def drawn(self, number: int, rng: torch.Generator) -> Tensor:
        """Return points [n, 3] round them, on the CPU; none when there are none."""
        if not len(self._points):
            return self._points
        chosen = torch.randint(len(self._points), (number,), generator=rng)
        offset = torch.rand(number, 3, generator=rng) - 0.5
        return self._points[chosen] + _HARD_SPREAD * offset


def _through_surface(
    targets: FitTargets, settings: SpaceSettings, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return points [n, 3] from just before to behind the surface, and their colours [n, 3]."""
    points, colours = [], []
    for some, number in (
        (targets.surface, settings.surface_points),
        (targets.photo, settings.photo_points),
    ):
        place, inwards, colour = some.drawn(number, rng)
        depth = torch.rand(number, 1, generator=rng) * _THICKNESS - _IN_FRONT
        points.append(place + inwards * depth.to(place.device))
        colours.append(colour)
    return torch.cat(points), torch.cat(colours)


def _density_points(
    surface: PointTargets, hard: _HardPoints, number: int, rng: torch.Generator
) -> Tensor:
    """Return points [number, 3]: a third near the surface, a third around it, the rest anywhere."""
    third = number // 3
    place, inwards, _ = surface.drawn(2 * third, rng)
    spread = torch.cat([torch.full((third, 1), _NEAR), torch.full((third, 1), _AROUND)])
    depth = torch.randn(2 * third, 1, generator=rng) * spread
    rest = number - 2 * third
    anywhere = torch.rand(rest, 3, generator=rng) - 0.5
    found = hard.drawn(int(rest * _HARD_SHARE), rng)
    anywhere[: len(found)] = found
    return torch.cat([place + inwards * depth.to(place.device), anywhere.to(place.device)])


def _drawn_rays(views: ViewTargets, number: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return numbers of views and pixels: half of them the photo's, the rest of a few others."""
    others = len(views.cameras) - 1
    counts = [(0, number // 2)]
    for view in torch.randint(1, others + 1, (_VIEWS_PER_STEP,), generator=rng).tolist():
        counts.append((view, (number - number // 2) // _VIEWS_PER_STEP))
    chosen, pixels = [], []
    for view, count in counts:
        near = views.near[view]
        if not len(near) or float(torch.rand((), generator=rng)) < _ANYWHERE:
            near = torch.arange(views.alpha.shape[1])
        pixels.append(near[torch.randint(len(near), (count,), generator=rng)])
        chosen.append(torch.full((count,), view))
    return torch.cat(chosen), torch.cat(pixels)


def _drawn_depths(
    distance: Tensor, limits: tuple[float, float], settings: RaySettings, rng: torch.Generator
) -> Tensor:
    """Return depths [r, s]: along the whole ray, and round the surface at `distance`."""
    start, end = limits
    number, spread, near = len(distance), settings.spread_samples, settings.near_samples
    even = (torch.arange(spread) + torch.rand(number, spread, generator=rng)) / spread
    narrow = torch.rand(number, near, generator=rng) < 0.5
    deviation = torch.where(narrow, *_RAY_DEVIATIONS)
    close = distance[:, None] + torch.randn(number, near, generator=rng) * deviation
    depths = [start + (end - start) * even, close.clamp(start, end)]
    return torch.cat(depths, dim=1)
