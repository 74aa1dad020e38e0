"""Reading planes that learn: the compiled kernel against grid_sample, forward and backward.

    python benchmarks/learning_planes.py [--repeat 7] [--threads 1]

Points lie along rays, fourteen on each, as trainings ask for them: one head with 4 patches of
64 x 64 rays (the fitting of a style), and eight heads with 3 patches of 24 x 24 (the generator's
training). Both ways take turns in one process; figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.ops.plane_means import plane_means
from triptych.ops.sample_planes import sample_planes

CASES = {"one head, 229,376 points": (1, 16384), "eight heads, 24,192 points each": (8, 1728)}
SAMPLES = 14
CHANNELS, SIZE = 16, 128


def points_along_rays(heads: int, rays: int, draws: torch.Generator) -> Tensor:
    """Return points [heads, rays * 14, 3] in and about the box of side 1."""
    middle = torch.rand(heads, rays, 1, 3, generator=draws) - 0.5
    direction = F.normalize(torch.randn(heads, rays, 1, 3, generator=draws), dim=-1)
    return (middle + direction * torch.linspace(-0.3, 0.3, SAMPLES)[:, None]).flatten(1, 2)


def with_grid_sample(planes: Tensor, points: Tensor) -> Tensor:
    """Return the mean over the planes at points [b, n, c], by torch."""
    sampled = sample_planes(planes, points, box_size=1.0, axes="corrected")
    return (sampled.sum(dim=1) / 3).transpose(1, 2)


def compiled(planes: Tensor, points: Tensor) -> Tensor:
    """Return the same by the compiled kernel."""
    return plane_means(planes, points, box_size=1.0, axes="corrected")


def seconds(read: Callable[[Tensor, Tensor], Tensor], planes: Tensor, points: Tensor) -> float:
    """Return the time of one reading and its gradient."""
    started = time.perf_counter()
    made = read(planes, points)
    torch.autograd.grad(made, planes, torch.ones_like(made))
    return time.perf_counter() - started


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    draws = torch.Generator().manual_seed(0)
    print("| points | grid_sample, s | compiled, s | ratio |\n|---|---|---|---|")
    for name, (heads, rays) in CASES.items():
        planes = torch.randn(heads, 3, CHANNELS, SIZE, SIZE, generator=draws).requires_grad_()
        points = points_along_rays(heads, rays, draws)
        times: dict[str, list[float]] = {"exact": [], "compiled": []}
        for turn in range(options.repeat + 1):
            exact = seconds(with_grid_sample, planes, points)
            fast = seconds(compiled, planes, points)
            if turn:  # the first turn compiles
                times["exact"].append(exact)
                times["compiled"].append(fast)
        exact, fast = (statistics.median(taken) for taken in times.values())
        print(f"| {name} | {exact:.3f} | {fast:.3f} | {exact / fast:.1f}x |")


if __name__ == "__main__":
    main()
