"""What a lift returns: the likeness, and where it was seen in the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from triptych.camera import Camera
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.colours import Colours
from triptych.systems.lift.pinhole import FloatArray, Pinhole
from triptych.systems.lift.silhouette import Mask


@dataclass(frozen=True, eq=False)
class ConfidenceMap:
    """Where a likeness was seen in the photo, and where it is guessed.

    Attributes:
        colours: The coloured mesh that the portrait was fitted to.
    """

    colours: Colours

    def picture(self, camera: Camera, size: int) -> tuple[FloatArray, Mask]:
        """Return confidence in 0..1 as one view sees it, and where it sees the head [s, s]."""
        surface = self.colours.surface
        raster = surface.rasterised(Pinhole.of(camera, size))
        shown = np.zeros((size, size))
        shown[raster.hit] = raster.values(
            surface.triangles, self.colours.confidence[:, None]
        ).ravel()
        return shown, raster.hit

    @property
    def share_seen(self) -> float:
        """Share of the surface that the photo tells."""
        return self.colours.share_seen


@dataclass(frozen=True, eq=False)
class Lifted:
    """What `LiftPipeline` returns.

    Attributes:
        portrait: The likeness; its default camera is the photo's.
        avatar: The avatar that it was made of.
        confidence: Where it was seen in the photo.
        report: Settings, camera, figures and times, as JSON values.
        image: The aligned photo [1, 3, s, s] in [-1, 1], or its edit where there is one.
        photo: How it was aligned; None when the picture came aligned.
        notes: What a person should know about this likeness.
    """

    portrait: TriPlanePortrait
    avatar: TriPlanePortrait
    confidence: ConfidenceMap
    report: dict[str, Any]
    image: Tensor
    photo: AlignedPhoto | None
    notes: tuple[str, ...]
