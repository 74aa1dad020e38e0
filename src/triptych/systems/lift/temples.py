"""Hair beside a face: it stands no farther forward than the face, continued, would.

Hair of avatars hangs before the temples, and warped to a photo it becomes a hood.
"""

from __future__ import annotations

import numpy as np

from triptych.systems.lift.pinhole import FloatArray, smoothstep

_BEFORE = 0.015  # world units by which hair may stand before the continued face
_MOST = 0.05  # world units that hair moves back
_BESIDE = (0.7, 1.0)  # halves of the face's width from its middle: from here on hair moves
_REACH = 1.2  # from here on the face's depth is that of there
_ABOVE, _BELOW = (-1.4, -0.9), (1.3, 0.6)  # halves of its height: from nothing to all


def move_behind_temples(places: FloatArray, front: FloatArray, face: FloatArray) -> FloatArray:
    """Return how far back hair beside a face has to move, world units [n].

    The face's depth, a quadratic function of the place fitted where the face is, goes on beside it.

    Args:
        places: Pixel positions [n, 2].
        front: Depth of the surface there [n].
        face: How surely the face is there [n], 0..1.
    """
    shown = places[face > 0.5]
    if len(shown) < 2 * _basis(places[:1]).shape[1]:
        return np.zeros(len(places))
    low, high = shown.min(axis=0), shown.max(axis=0)
    own = (places - (low + high) / 2) / np.maximum((high - low) / 2, 1e-9)
    fitted = np.linalg.lstsq(_basis(own[face > 0.5]), front[face > 0.5], rcond=None)[0]
    behind = _basis(np.clip(own, -_REACH, _REACH)) @ fitted - _BEFORE - front
    share = smoothstep(np.abs(own[:, 0]), *_BESIDE)
    share = share * smoothstep(own[:, 1], *_ABOVE) * smoothstep(own[:, 1], *_BELOW)
    return np.clip(behind, 0, _MOST) * share * (1 - face)


def _basis(places: FloatArray) -> FloatArray:
    across, down = places.T
    return np.column_stack([np.ones(len(places)), across, down, across**2, across * down, down**2])
