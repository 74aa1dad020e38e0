"""How far the mirror image of a face can be trusted as a second view of it, pixel by pixel.

3DpSp divides the squared difference of the mirrored view by 1 + doubt. It takes the doubt from a
network of unsup3d; here it is measured: how much a place of the face differs in colour from the
place on the other side. Shadows from one side, a fringe or a raised brow raise it; beyond the face,
where hair and background have no mirror image at all, it is high throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.ops.colour import to_uint8
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.face import FloatArray

SIZE = 256
"""Side of a map, as 3DpSp's loader expects it."""

_LEAST, _OUTSIDE, _MOST = 0.1, 1.0, 1.4  # unsup3d's example map reaches from 0.07 to 1.37
_PER_DIFFERENCE = 3.0  # doubt per difference of the whole range of a channel
_SOFTNESS = 6.0  # standard deviation in pixels of the patches compared, and of the map


def mirror_uncertainty(aligned: AlignedPhoto) -> NDArray[np.float32]:
    """Return the doubt [256, 256] about the mirror image of a crop, at the crop's own places."""
    from scipy.interpolate import LinearNDInterpolator
    from scipy.ndimage import gaussian_filter

    pixels = to_uint8(aligned.image)[0].numpy().astype(np.float64) / 255
    scale = SIZE / pixels.shape[0]
    softened = gaussian_filter(pixels, (_SOFTNESS / scale, _SOFTNESS / scale, 0))
    colours = _at(softened, aligned.landmarks)
    pairs = aligned.face.pairs
    difference = np.abs(colours - colours[pairs]).mean(axis=1)
    uncertainty = np.clip(_LEAST + _PER_DIFFERENCE * difference, _LEAST, _MOST)
    centres = (np.arange(SIZE) + 0.5) / scale
    grid = np.stack(np.meshgrid(centres, centres), axis=-1)
    spread = LinearNDInterpolator(aligned.landmarks, uncertainty, fill_value=_OUTSIDE)(grid)
    return gaussian_filter(spread, _SOFTNESS / 2).astype(np.float32)


def _at(pixels: FloatArray, points: FloatArray) -> FloatArray:
    """Return the colours [k, 3] of the pixels nearest to points [k, 2]."""
    height, width = pixels.shape[:2]
    column = np.clip(np.floor(points[:, 0]).astype(int), 0, width - 1)
    row = np.clip(np.floor(points[:, 1]).astype(int), 0, height - 1)
    return pixels[row, column]
