"""Pictures to invert, with what is known of the same heads from other sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueHeads, unseen_cameras
from triptych.camera import Camera, look_at_camera
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.photos.labelled_images import LabelledImages
from triptych.systems.invert.target import InversionTarget, target_of

SHIFT = math.radians(25)
LAST_UNSEEN = 9_999


@dataclass(frozen=True, eq=False)
class HeadToInvert:
    """One head.

    Attributes:
        name: In reports.
        target: The picture to invert.
        shifted: Cameras to the left and right of the picture's; None where nothing is known there.
        true: The head seen from those [v, 3, s, s].
        other: Another head seen from those [v, 3, s, s].
        latent: The head's latent [1, z_dim], where the generator could know it.
    """

    name: str
    target: InversionTarget
    shifted: Camera | None = None
    true: Tensor | None = None
    other: Tensor | None = None
    latent: Tensor | None = None

    def to(self, device: torch.device | str) -> HeadToInvert:
        """Return the head on another device."""
        true, other, latent = (
            None if tensor is None else tensor.to(device)
            for tensor in (self.true, self.other, self.latent)
        )
        shifted = None if self.shifted is None else self.shifted.to(device)
        return HeadToInvert(self.name, self.target.to(device), shifted, true, other, latent)


class HeadsToInvert(Protocol):
    """A row of heads."""

    @property
    def names(self) -> Sequence[str]:
        """Their names."""

    def __getitem__(self, index: int) -> HeadToInvert:
        """Return one head."""


class UnseenAvatars:
    """Avatars never trained on, each seen once from a random side.

    Args:
        heads: Renders them.
        generator: What they are inverted with.
        first_seed: Seed of the first; seeds below 10,000 are never trained on.
        count: How many.
        yaw_range, pitch_range: Largest angles of the cameras, in radians.

    Raises:
        UserError: There are not so many.
    """

    def __init__(
        self,
        heads: TrueHeads,
        generator: TriPlaneGenerator,
        first_seed: int,
        count: int,
        yaw_range: float = 0.45,
        pitch_range: float = 0.25,
    ) -> None:
        if count < 2 or first_seed < 0 or first_seed + count - 1 > LAST_UNSEEN:
            raise UserError(
                f"heads: got {count} from seed {first_seed}; expected 2 or more of the seeds 0 to "
                f"{LAST_UNSEEN}"
            )
        self._heads, self._generator = heads, generator
        self._seeds = range(first_seed, first_seed + count)
        self._ranges = yaw_range, pitch_range
        self.names: Sequence[str] = [f"{seed:05d}" for seed in self._seeds]

    def __getitem__(self, index: int) -> HeadToInvert:
        """Render one head; the other one is the next of the row."""
        seed, size = self._seeds[index], self._generator.config.image_size
        other = self._seeds[(index + 1) % len(self._seeds)]
        camera = unseen_cameras(seed, 2, *self._ranges)[1]
        shifted = shifted_cameras(camera)
        image = self._heads.views(seed, None, camera, size).image
        return HeadToInvert(
            self.names[index],
            target_of(image, camera, size),
            shifted,
            self._heads.views(seed, None, shifted, size).image,
            self._heads.views(other, None, shifted, size).image,
            self._latent(seed),
        )

    def _latent(self, seed: int) -> Tensor | None:
        attributes = self._generator.config.latent_kind == "attributes"
        return self._generator.latent(seed) if attributes else None


class AlignedPhotos:
    """A folder of aligned photos with dataset.json; nothing is known of them from other sides."""

    def __init__(self, photos: LabelledImages, size: int, count: int | None = None) -> None:
        self._photos, self._size = photos, size
        self.names: Sequence[str] = list(photos.names[:count])
        if len(self.names) < 2:
            raise UserError("an evaluation needs two photos or more")

    def __getitem__(self, index: int) -> HeadToInvert:
        """Read one photo."""
        photos, size = self._photos, self._size
        image, camera = photos.image(index)[None], photos.camera[index]
        uncertainty = photos.mirror_uncertainty_map(index, size)
        return HeadToInvert(self.names[index], target_of(image, camera, size, uncertainty))


def shifted_cameras(camera: Camera, shift: float = SHIFT) -> Camera:
    """Return the cameras `shift` radians to both sides of one that looks at the head."""
    yaw = camera.yaw + torch.tensor([-shift, shift])
    return look_at_camera(yaw, camera.pitch.expand(2))
