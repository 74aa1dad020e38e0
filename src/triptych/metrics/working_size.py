"""The image size at which the embedded judges of whole heads were trained."""

from __future__ import annotations

from torch import Tensor

from triptych.ops.resize import resize

WORKING_SIZE = 128


def at_working_size(image: Tensor) -> Tensor:
    """Bring square images [b, 3, h, w] to 128 pixels: averaged when shrunk, bilinear otherwise."""
    if image.shape[-2:] == (WORKING_SIZE, WORKING_SIZE):
        return image
    return resize(image, WORKING_SIZE)
