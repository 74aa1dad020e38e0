"""Hair styles made of a displaced scalp: closed and thick surfaces, easy for radiance fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.geometry.eyes import unit_sphere
from triptych.avatars.geometry.head_template import HeadTemplate
from triptych.avatars.geometry.materials import HAIR, HAIR_SHELL
from triptych.avatars.geometry.mesh import compact, smooth_step, triangulate, unit, vertex_normals
from triptych.avatars.geometry.parts import Part
from triptych.avatars.geometry.placement import Placement
from triptych.avatars.geometry.subdivision import catmull_clark

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_PHASES = (1.0, 2.0, 3.0)
_SINK_AT_HAIRLINE = 0.012  # world units
_HAIRLINE = (0.05, 0.55)  # scalp cover at which strands begin and at which they close


@dataclass(frozen=True)
class _ShellStyle:
    """Thickness in decimetres; bumps as a share of it; what lifts the front and the crown."""

    thickness: float
    bumps: float
    front_lift: float = 0.0
    radial: bool = False
    curly_strands: bool = False


_STYLES = {
    "crop": _ShellStyle(0.10, 0.10, front_lift=0.35),
    "slick": _ShellStyle(0.16, 0.03, front_lift=0.35),
    "bun": _ShellStyle(0.13, 0.03, front_lift=0.10),
    "curls": _ShellStyle(0.30, 0.38, curly_strands=True),
    "afro": _ShellStyle(0.45, 0.10, radial=True, curly_strands=True),
}
_BUN_CENTRE = (0.0, 0.94, -1.42)  # from the eye middle, decimetres
_BUN_RADII = (0.32, 0.30, 0.30)


class ShellHair:
    """Displaces a finer copy of the scalp."""

    def __init__(self, template: HeadTemplate) -> None:
        quads = template.quads
        on_scalp = template.scalp[quads].max(axis=1) > 0.02
        on_scalp &= template.ear[quads].max(axis=1) < 0.25
        self._used, coarse = compact(quads[on_scalp], len(template.rest))
        step = catmull_clark(coarse, len(self._used))
        self._subdivide = step.matrix
        self._triangles, self._coarse_triangles = triangulate(step.quads), triangulate(coarse)
        self._rest = step.matrix @ template.rest[self._used]
        self._cover = np.clip(step.matrix @ template.scalp[self._used], 0.0, 1.0)

    def knows(self, style: str) -> bool:
        """Tell whether a style is a shell."""
        return style in _STYLES

    def parts(
        self, style: str, volume: float, skin: FloatArray, placement: Placement
    ) -> list[Part]:
        """Return the hair over the fine skin vertices [n, 3], world units."""
        shell = self._shell(_STYLES[style], 1.0 + 4.0 * (volume - 0.03), skin, placement)
        return [shell, _bun(placement)] if style == "bun" else [shell]

    def _shell(
        self, style: _ShellStyle, swelling: float, skin: FloatArray, placement: Placement
    ) -> Part:
        scalp = self._subdivide @ skin[self._used]
        normals = vertex_normals(scalp, self._triangles)
        height = swelling * self._height(style) * placement.scale
        middle = placement.to_world(placement.eye_middle + np.array([0.0, 0.2, -1.1]))
        outwards = unit(scalp - middle) if style.radial else normals
        sink = _SINK_AT_HAIRLINE * (1.0 - smooth_step(0.0, 0.25, self._cover))
        positions = scalp + outwards * height[:, None] - normals * sink[:, None]
        return Part(
            positions=positions,
            normals=vertex_normals(positions, self._triangles),
            triangles=self._triangles,
            material=HAIR_SHELL,
            region=HAIR,
            wrap=(0.3, 0.3, 0.3),
            rest=self._rest,
            uv=self._strand_uv(style),
            shadow_triangles=self._coarse_triangles,
        )

    def _height(self, style: _ShellStyle) -> FloatArray:
        x, y, z = self._rest.T
        first, second, third = _PHASES
        if style.radial:
            height = style.thickness * self._cover**0.8 * (1.0 - 0.45 * smooth_step(7.3, 6.6, y))
        else:
            lift = 0.75 + 0.45 * smooth_step(7.6, 8.4, y)
            lift += style.front_lift * smooth_step(0.2, 1.0, z)
            height = style.thickness * self._cover * lift
        locks = np.sin(17 * x + first + 2 * np.sin(9 * y)) * np.sin(19 * y + second)
        locks *= np.sin(16 * z + third)
        curls = np.sin(41 * x + second) * np.sin(37 * y + third) * np.sin(43 * z + first)
        return height * (1.0 + style.bumps * (locks + 0.5 * curls))

    def _strand_uv(self, style: _ShellStyle) -> FloatArray:
        x, y, z = self._rest.T
        solid = smooth_step(*_HAIRLINE, self._cover)
        if style.curly_strands:
            return np.stack([2.1 * x + 1.3 * z, 8.0 * y + 5.0 * z, solid], axis=1)
        around = 0.8 * np.arctan2(x, y - 7.2)
        return np.stack([around, 0.9 - 0.25 * np.clip(z, -1.0, 2.0), solid], axis=1)


def _bun(placement: Placement) -> Part:
    """Return a knot of hair at the back of the crown."""
    sphere, triangles = unit_sphere(32, 20)
    ridges = 1.0 + 0.05 * np.sin(7.0 * np.arctan2(sphere[:, 0], sphere[:, 1]) + 9.0 * sphere[:, 2])
    middle = placement.eye_middle + np.array(_BUN_CENTRE)
    positions = placement.to_world(middle + sphere * np.array(_BUN_RADII) * ridges[:, None])
    twist = np.arctan2(sphere[:, 0], sphere[:, 1]) + 1.2 * sphere[:, 2]
    return Part(
        positions=positions,
        normals=vertex_normals(positions, triangles),
        triangles=triangles,
        material=HAIR_SHELL,
        region=HAIR,
        wrap=(0.3, 0.3, 0.3),
        uv=np.stack(
            [0.25 * np.abs(sphere[:, 2]), 0.5 + 0.15 * twist, np.ones(len(sphere))], axis=1
        ),
        shadow_triangles=triangles,
    )
