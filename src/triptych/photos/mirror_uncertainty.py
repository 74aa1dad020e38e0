"""How uncertain the mirror image of a face is as a second view of it, pixel by pixel.

3DpSp divides the squared difference of the mirrored view by 1 + uncertainty. It takes the
uncertainty from a network of unsup3d; here it is measured: how much a place of the face differs in
colour from the place on the other side. Shadows from one side, a fringe or a raised brow raise it.
Outside the face, where hair and background have no mirror image at all, it is high throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from triptych.ops.colour import to_uint8
from triptych.photos.detectors.face import FloatArray

SIZE = 256
"""Side of a map, as 3DpSp's loader expects it."""

_LEAST, _OUTSIDE, _MOST = 0.1, 1.0, 1.4  # unsup3d's example map reaches from 0.07 to 1.37
_PER_DIFFERENCE = 3.0  # uncertainty per difference of the whole range of a channel
_SOFTNESS = 6.0  # standard deviation in pixels of the patches compared, and of the map


def mirror_uncertainty(
    image: Tensor, landmarks: FloatArray, pairs: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the uncertainty [256, 256] of the mirror image of a crop, at the crop's own places.

    Args:
        image: The crop [1, 3, s, s] in [-1, 1].
        landmarks: Landmarks of its face in pixels of the crop [k, 2].
        pairs: Which landmark each becomes in a mirrored picture [k].
    """
    from scipy.interpolate import LinearNDInterpolator
    from scipy.ndimage import gaussian_filter

    pixels = to_uint8(image)[0].numpy().astype(np.float64) / 255
    scale = SIZE / pixels.shape[0]
    softened = gaussian_filter(pixels, (_SOFTNESS / scale, _SOFTNESS / scale, 0))
    colours = _at(softened, landmarks)
    difference = np.abs(colours - colours[pairs]).mean(axis=1)
    uncertainty = np.clip(_LEAST + _PER_DIFFERENCE * difference, _LEAST, _MOST)
    centres = (np.arange(SIZE) + 0.5) / scale
    grid = np.stack(np.meshgrid(centres, centres), axis=-1)
    spread = LinearNDInterpolator(landmarks, uncertainty, fill_value=_OUTSIDE)(grid)
    return gaussian_filter(spread, _SOFTNESS / 2).astype(np.float32)


def mirrored_and_upsampled(uncertainty: np.ndarray, size: int) -> np.ndarray:
    """Upsample a map [h, w] by cubic splines and flip it left to right, as 3DpSp loads its maps.

    Args:
        uncertainty: At the places of the crop.
        size: Height to be, in pixels.

    Returns:
        float32 [size, ...], at the places of the mirrored crop.
    """
    from scipy.ndimage import zoom

    factor = size / uncertainty.shape[0]
    upsampled = uncertainty if factor == 1 else zoom(uncertainty, factor)
    return np.ascontiguousarray(upsampled[:, ::-1], dtype=np.float32)


def _at(pixels: FloatArray, points: FloatArray) -> FloatArray:
    """Return the colours [k, 3] of the pixels nearest to points [k, 2]."""
    height, width = pixels.shape[:2]
    column = np.clip(np.floor(points[:, 0]).astype(int), 0, width - 1)
    row = np.clip(np.floor(points[:, 1]).astype(int), 0, height - 1)
    return pixels[row, column]
