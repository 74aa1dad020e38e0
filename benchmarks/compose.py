"""Portraits of regions: time, memory and agreement of the fast path and the exact one.

    python benchmarks/compose.py                 full size, random networks round a sphere
    python benchmarks/compose.py FILE.safetensors    a generator of regions, at its own size

Random networks get the sphere that training starts from and surfaces as hard as trained ones;
--soft leaves them as they are made, without a surface: then every sample of a ray is seen.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import torch
from torch import Tensor

from triptych.metrics.image_metrics import psnr
from triptych.render.distance_lattice import lattice_points
from triptych.render.field_geometry import geometry_at
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionGeneratorConfig
from triptych.systems.compose.pipeline import ComposePipeline
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.systems.compose.training.first_shape import (
    fit_sphere,
    flatten_residuals,
    softness,
)

HARD = 0.002
EVERY = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--soft", action="store_true")
    parser.add_argument("--grid", type=int, default=128)
    parser.add_argument("--sphere-steps", type=int, default=100)
    options = parser.parse_args()
    if options.model:
        pipeline = ComposePipeline.from_pretrained(options.model)
    else:
        pipeline = ComposePipeline(random_generator(options.soft, options.sphere_steps))
    portrait = pipeline(3)
    print(f"{torch.get_num_threads()} threads, image {portrait.image_size} pixels")
    portrait.render(size=16)  # compiles
    portrait = pipeline(3)
    first, _ = timed("first fast frame, lattice included", portrait.render)
    cameras = portrait.orbit(torch.linspace(-0.4, 0.4, 4))
    _, fast = timed("fast frame, of four", lambda: portrait.render(cameras), share=4)
    whole, exact = timed("exact frame", lambda: portrait.render(path="exact"))
    close = float(psnr(first.image, whole.image).mean())
    print(f"frame: {exact / fast:.1f} times faster, {1 / fast:.1f} a CPU second, {close:.1f} dB")
    grid, fast = timed("fast grid", lambda: portrait.geometry_grid(options.grid))
    print(f"most memory so far, exact frame included: {peak_gigabytes():.2f} GB")
    true, exact = timed("exact grid, every eighth layer", lambda: some_layers(portrait, grid))
    some = grid[::EVERY]
    print(f"grid: {EVERY * exact / fast:.1f} times faster, {grid_psnr(some, true):.1f} dB")
    print(f"other signs: {int(((some > 0) != (true > 0)).sum())} of {some.numel()} points")


@torch.no_grad()
def some_layers(portrait: RegionPortrait, grid: Tensor) -> Tensor:
    """Return every eighth layer [n / 8, n, n] of the exact grid, whose points cost the same."""
    points = lattice_points(portrait.box_size, len(grid), "cpu").reshape(*grid.shape, 3)[::EVERY]
    return -geometry_at(portrait.field.geometry, points.reshape(-1, 3)).reshape(points.shape[:3])


def random_generator(soft: bool, steps: int) -> RegionGenerator:
    """Return the published sizes with random weights."""
    generator = RegionGenerator(RegionGeneratorConfig())
    if not soft:
        fit_sphere(generator, steps=steps, rate=1e-4, rng=torch.Generator().manual_seed(0))
        flatten_residuals(generator, 0.02)
        softness(generator, HARD)
    return generator.eval().requires_grad_(False)


def timed(what: str, work: Callable[[], Tensor], share: int = 1) -> tuple[Tensor, float]:
    """Return what work returns and its CPU seconds, which other programs change least."""
    began, wall = time.process_time(), time.perf_counter()
    result = work()
    seconds, wall = (time.process_time() - began) / share, (time.perf_counter() - wall) / share
    print(f"{what}: {seconds:.2f} CPU seconds, {wall:.2f} by the clock")
    return result, seconds


def grid_psnr(found: Tensor, true: Tensor) -> float:
    """Return the agreement of two grids, whose peak is the range of the true one."""
    error = (found - true).square().mean() / (true.max() - true.min()).square()
    return float(-10 * error.log10())


def peak_gigabytes() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
