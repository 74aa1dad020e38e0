"""Named points of a synthetic head: where eyes, nose, mouth, jaw and ears are in the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.geometry.mesh import compact
from triptych.avatars.geometry.morphs import morphed_base
from triptych.avatars.geometry.placement import lip_vertices, place
from triptych.avatars.geometry.subdivision import catmull_clark

if TYPE_CHECKING:
    from triptych.avatars.assets.pack import HeadAssets
    from triptych.avatars.people.identity import Identity

# Rest-pose positions in decimetres: on the middle line, then those of the head's left side (+x).
_MIDDLE = {
    "forehead": (0.0, 7.85, 1.47),
    "brow middle": (0.0, 7.516, 1.53),
    "nose bridge": (0.0, 7.29, 1.51),
    "nose tip": (0.0, 6.94, 1.68),
    "nose base": (0.0, 6.80, 1.57),
    "upper lip": (0.0, 6.66, 1.60),
    "lower lip": (0.0, 6.54, 1.57),
    "chin": (0.0, 6.20, 1.43),
}
_LEFT = {
    "eye inner": (0.152, 7.265, 1.402),
    "eye outer": (0.470, 7.275, 1.320),
    "brow inner": (0.154, 7.514, 1.503),
    "brow outer": (0.556, 7.463, 1.239),
    "nose wing": (0.169, 6.881, 1.507),
    "mouth corner": (0.254, 6.609, 1.417),
    "cheek": (0.469, 6.994, 1.347),
    "chin side": (0.222, 6.243, 1.328),
    "jaw": (0.553, 6.579, 0.781),
    "ear": (0.775, 7.160, 0.476),
    "ear lobe": (0.750, 6.918, 0.444),
    "temple": (0.695, 7.577, 0.854),
}
LANDMARKS: tuple[str, ...] = (
    *_MIDDLE,
    *(f"right {name}" for name in _LEFT),
    *(f"left {name}" for name in _LEFT),
)
"""Names in the order of all landmark arrays; left and right are the head's own."""

MIRRORED: tuple[int, ...] = tuple(
    LANDMARKS.index(
        name.replace("right ", "left ", 1)
        if name.startswith("right ")
        else name.replace("left ", "right ", 1)
    )
    for name in LANDMARKS
)
"""Which landmark each becomes in a mirrored picture."""


class HeadLandmarks:
    """Finds the landmarks of any identity; their vertices are found once."""

    def __init__(self, assets: HeadAssets) -> None:
        self._assets = assets
        self._base_ids, quads = compact(assets.body_faces, len(assets.base))
        self._subdivide = catmull_clark(quads, len(self._base_ids)).matrix
        self._lips = lip_vertices(assets)
        rest = assets.base[self._base_ids]
        places = np.array(
            [
                *_MIDDLE.values(),
                *((-x, y, z) for x, y, z in _LEFT.values()),
                *_LEFT.values(),
            ]
        )
        distance = np.linalg.norm(rest[None] - places[:, None], axis=2)
        self._rows = distance.argmin(axis=1)

    def of(self, identity: Identity) -> NDArray[np.float64]:
        """Return the landmarks [k, 3] of a head in world units, in the order of LANDMARKS."""
        base = morphed_base(identity, self._assets)
        placement = place(base, self._assets, self._lips)
        smooth = self._subdivide[self._rows] @ base[self._base_ids]
        return placement.to_world(smooth)
