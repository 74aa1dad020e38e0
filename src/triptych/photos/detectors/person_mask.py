"""Which part of a photograph is a person, found by mediapipe's selfie segmentation."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from triptych.ops.colour import to_uint8
from triptych.photos.detectors.mediapipe_networks import mediapipe_solutions, run, without_chatter

_SIDE = 256  # pixels: what the network works at
_LEAST_SHARE = 0.1  # of the picture: an aligned head takes more


class PersonMask:
    """Tells people in photographs from what is behind them.

    Raises:
        MissingDependency: mediapipe is not installed.
    """

    def __init__(self) -> None:
        with without_chatter():
            network = mediapipe_solutions().selfie_segmentation
            self._network = network.SelfieSegmentation(model_selection=0)
            self._network.process(np.zeros((_SIDE, _SIDE, 3), np.uint8))  # the first run builds it

    @classmethod
    def if_installed(cls) -> PersonMask | None:
        """Return the mask where mediapipe is installed, else None."""
        return cls() if find_spec("mediapipe") is not None else None

    def __call__(self, image: Tensor) -> Tensor | None:
        """Return how surely each pixel is a person's [1, 1, h, w], in [0, 1]; None without one.

        Args:
            image: Aligned picture [1, 3, h, w] in [-1, 1].
        """
        found = run(self._network, to_uint8(image)[0].cpu().numpy())
        mask = torch.from_numpy(found.segmentation_mask.copy()).to(image)[None, None].clamp(0, 1)
        return mask if float(mask.mean()) >= _LEAST_SHARE else None


def person_in(image: Tensor) -> Tensor | None:
    """Return the mask of a picture; None without a person, or without mediapipe.

    The network is loaded when the first picture asks for it.
    """
    mask = _installed_mask()
    return None if mask is None else mask(image)


@cache
def _installed_mask() -> PersonMask | None:
    return PersonMask.if_installed()
