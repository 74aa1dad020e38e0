"""Compiled kernels on numbers that no portrait should hold, in a process that may crash.

    python kernel_fuzz.py COUNT SEED

Every case hands one kernel arrays of valid shapes in which some numbers are not finite, huge or
tiny, indices excepted where the kernel documents them as such. It prints how many cases it ran.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from triptych.avatars.geometry.materials import NUM_REGIONS
from triptych.avatars.shading.raster import gather_light, rasterise, rasterise_towards, resolve
from triptych.fields.folded_kernels import FieldArrays
from triptych.ops.activation_kernels import activate_rows
from triptych.ops.modulation_kernels import modulate_part
from triptych.ops.plane_kernels import spread_over_planes, sum_of_planes
from triptych.ops.sample_planes import AXES
from triptych.render.lattice_kernels import lattice_part
from triptych.render.ray_kernels import (
    ROWS_PER_PRODUCT,
    Gathered,
    GridArrays,
    RayArrays,
    render_part,
)

BAD = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e19, -1e19, 2.0**31, -(2.0**31), 1e-38, -1e-45, 0.0]


class Numbers:
    """Draws arrays: good ones, ones with one bad number or many, and ones of bad numbers alone."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def array(self, *shape: int) -> np.ndarray:
        """Return float32 numbers."""
        values = self.rng.normal(0, self.rng.choice([0.3, 3.0, 300.0]), shape).astype(np.float32)
        share = self.rng.choice([0.0, 0.0, 1 / max(values.size, 1), 0.3, 1.0])
        spoilt = self.rng.random(shape) < share
        bad = np.array(BAD, np.float32)
        if self.rng.random() < 0.3:  # one kind alone
            bad = bad[self.rng.integers(len(bad), size=1)]
        return np.where(spoilt, self.rng.choice(bad, shape), values).astype(np.float32)

    def scalar(self) -> np.float32:
        """Return one number."""
        return np.float32(self.array(1)[0])

    def below(self, limit: int, *shape: int) -> np.ndarray:
        """Return whole numbers from 0."""
        return self.rng.integers(0, limit, shape)

    def size(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))


def rays_through_a_field(draw: Numbers) -> None:
    """`render_part` with any field, grid and rays."""
    side, hidden, features = draw.size(1, 9), draw.size(1, 20), draw.size(1, 9)
    axes = np.array(list(AXES.values())[draw.size(0, 1)][: draw.size(1, 3)])
    field = FieldArrays(
        draw.array(len(axes) * side * side, hidden),
        axes,
        side,
        draw.scalar(),
        draw.array(hidden),
        draw.array(hidden),
        draw.scalar(),
        draw.array(hidden, features),
        draw.array(ROWS_PER_PRODUCT, features),
        bool(draw.size(0, 1)),
    )
    cells = draw.size(3, 8)
    marks = draw.below(4, cells**3).astype(np.uint8)
    grid = GridArrays(marks, draw.array(cells**3), cells, draw.scalar())
    rays, coarse, fine = draw.size(1, 12), draw.size(4, 60), draw.size(0, 60)
    arrays = RayArrays(
        draw.rng.permutation(rays),
        draw.array(rays, 3),
        draw.array(rays, 3),
        np.sort(draw.array([1, rays][draw.size(0, 1)], coarse)),
        np.sort(draw.array([1, rays][draw.size(0, 1)], fine)),
    )
    found = Gathered(
        np.zeros((rays, features), np.float32),
        np.zeros(rays, np.float32),
        np.zeros(rays, np.float32),
    )
    render_part(0, rays, arrays, field, grid, draw.scalar(), found)


def densities_on_a_lattice(draw: Numbers) -> None:
    """`lattice_part` with any planes and decoder."""
    x, y, z, hidden = draw.size(1, 5), draw.size(1, 5), draw.size(1, 5), draw.size(1, 20)
    flat = draw.size(0, 1)
    lattice_part(
        0,
        x,
        draw.array(x, y, hidden),
        draw.array(x, z, hidden),
        draw.array(*((1, 1) if flat else (y, z)), hidden),
        draw.array(hidden),
        draw.scalar(),
        np.empty((x, y, z), np.float32),
    )


def planes_at_points(draw: Numbers) -> None:
    """`sum_of_planes` and its gradient with any planes and points."""
    batch, side, channels, points = (
        draw.size(1, 2),
        draw.size(1, 9),
        draw.size(1, 9),
        draw.size(0, 9),
    )
    axes = np.array(list(AXES.values())[draw.size(0, 1)])
    pixels = draw.array(batch * len(axes) * side * side, channels)
    positions, out = draw.array(batch * points, 3), np.empty((batch * points, channels), np.float32)
    sum_of_planes(0, batch * points, pixels, positions, axes, side, points, out)
    spread_over_planes(
        0, batch * len(axes), draw.array(*out.shape), positions, axes, side, points, pixels
    )


def styled_convolutions(draw: Numbers) -> None:
    """The kernels around convolutions, in float32 and in bfloat16."""
    rows, columns, channels = draw.size(1, 5), draw.size(1, 5), draw.size(1, 9)
    stored = [np.float32, np.uint16][draw.size(0, 1)]
    values = draw.array(rows, columns, channels)
    values = values if stored == np.float32 else (values.view(np.uint32) >> 16).astype(np.uint16)
    noise = draw.array(*((1, 1) if draw.size(0, 1) else (rows, columns)))
    activate_rows(0, rows, values, draw.array(channels), noise, draw.scalar(), values)
    weight = draw.array(channels, rows, 9)
    kernels = (np.empty((channels, 9, rows), stored),)
    modulate_part(0, channels, weight, draw.array(rows), draw.scalar(), (np.arange(9),), kernels)


def triangles_and_light(draw: Numbers) -> None:
    """The avatars' rasteriser with any vertices, whether triangles name them or not."""
    vertices, count, side = draw.size(1, 12), draw.size(0, 12), 2 * draw.size(1, 12)
    triangles = draw.below(vertices, count, 3).astype(np.int32)
    if draw.size(0, 1) and count:
        triangles[draw.size(0, count - 1), draw.size(0, 2)] = draw.rng.choice(
            [-1, vertices, 2**31 - 1, -(2**31)]
        )
    materials = draw.below(8, count).astype(np.int32)
    uv = draw.array(vertices, 3)
    x, y = draw.array(vertices) * side, draw.array(vertices) * side
    nearest, owner = np.zeros((side, side), np.float32), np.full((side, side), -1, np.int32)
    first, second = np.zeros_like(nearest), np.zeros_like(nearest)
    rasterise(x, y, draw.array(vertices), triangles, materials, uv, nearest, owner, first, second)
    assert owner.min() >= -1
    assert owner.max() < max(count, 1)
    places, axes = draw.array(vertices, 3), draw.array(3, 3)
    heights = draw.array(side, side)
    rasterise_towards(places, triangles, axes, draw.scalar(), heights)
    gather_light(
        places, draw.array(vertices, 3), axes, draw.scalar(), heights, draw.scalar(),
        draw.array(vertices, 3), draw.array(3),
        np.zeros((vertices, 3), np.float32), np.zeros(vertices, np.float32),
    )  # fmt: skip
    region = draw.below(256, side, side).astype(np.uint8)
    half = side // 2
    regions = np.empty((half, half), np.uint8)
    resolve(
        draw.array(side, side, 3), region, owner, nearest, 2, 0.75,
        np.empty((half, half, 3), np.uint8), np.empty((half, half), np.float32),
        np.empty((half, half), np.float32), regions,
    )  # fmt: skip
    assert regions.max() < NUM_REGIONS


CASES: list[Callable[[Numbers], None]] = [
    rays_through_a_field,
    rays_through_a_field,
    densities_on_a_lattice,
    planes_at_points,
    styled_convolutions,
    triangles_and_light,
]


def main() -> None:
    """Run the cases; a wrong one ends the process by a signal or an exception."""
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    np.seterr(all="ignore")
    for index in range(count):
        with suppress(ZeroDivisionError):  # an exception harms nobody
            CASES[index % len(CASES)](Numbers(seed + index))
    print(f"{count} cases")


if __name__ == "__main__":
    main()
