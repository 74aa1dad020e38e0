"""Photos to lift: renders whose heads are known from all sides, and photos of people."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueHeads, TrueViews
from triptych.camera import Camera, look_at_camera
from triptych.errors import UserError
from triptych.nn.feature_network import WHOLE_HEAD_SIZE, AvatarFeatures
from triptych.ops.resize import resize
from triptych.photos.aligner import PhotoAligner
from triptych.photos.photo import photo_tensor, read_photo
from triptych.photos.picture_source import PictureSource
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.pinhole import Pinhole
from triptych.systems.lift.silhouette import Mask, inside_photo

LAST_UNSEEN = 9_999

Truth = Callable[[Camera, int], TrueViews]
"""Renders v cameras of a head that is known, at a size."""


@dataclass(frozen=True, eq=False)
class HeadToLift:
    """One photo.

    Attributes:
        name: In reports.
        image: Aligned square picture [1, 3, s, s] in [-1, 1].
        camera: Its camera, one view.
        truth: The head from all sides; None where nothing else is known of it.
        inside: Pixels that show the photo [s, s]; None for all.
    """

    name: str
    image: Tensor
    camera: Camera
    truth: Truth | None = None
    inside: Mask | None = None


@dataclass(frozen=True, eq=False)
class KnownHead:
    """A head with a known answer, photographed from several sides.

    Attributes:
        name: In reports.
        truth: Renders it.
    """

    name: str
    truth: Truth

    def photos(self, yaws: Sequence[float], size: int) -> Iterator[HeadToLift]:
        """Yield its photo from each yaw, in radians; size is its side in pixels."""
        for yaw in yaws:
            camera = look_at_camera(yaw, 0.0)
            seen = self.truth(camera, size)
            name = f"{self.name}-{round(math.degrees(yaw))}"
            yield HeadToLift(name, seen.image.cpu(), camera, self.truth)


def unseen_avatars(heads: TrueHeads, first_seed: int, count: int) -> list[KnownHead]:
    """Return avatars that no model was trained on.

    Raises:
        UserError: There are not so many.
    """
    if count < 0 or first_seed < 0 or first_seed + count - 1 > LAST_UNSEEN:
        raise UserError(
            f"heads: got {count} from seed {first_seed}; expected seeds of 0 to {LAST_UNSEEN}"
        )

    def truth(seed: int) -> Truth:
        return lambda camera, size: heads.views(seed, None, camera, size)

    seeds = range(first_seed, first_seed + count)
    return [KnownHead(f"avatar-{seed:05d}", truth(seed)) for seed in seeds]


def likeness_heads(files: Sequence[Path], network: AvatarFeatures) -> list[KnownHead]:
    """Return finished likenesses as heads whose answer is known.

    Args:
        files: Portrait files.
        network: Reads regions of their pictures.

    Raises:
        UserError: A file is missing or holds another kind of portrait.
    """
    heads = []
    for file in files:
        name = f"{file.parent.name or 'likeness'}-{file.stem}"
        heads.append(KnownHead(name, _PortraitTruth(TriPlanePortrait.load(file), network)))
    return heads


def photos_of(sources: Sequence[PictureSource], align: PhotoAligner) -> Iterator[HeadToLift]:
    """Yield photos of people, aligned where they are not.

    Raises:
        UserError: No face is found in one.
    """
    for source in sources:
        name, photo = Path(source.name).stem, read_photo(source.path)
        if source.camera is not None:
            yield HeadToLift(name, photo_tensor(photo.pixels), source.camera)
            continue
        aligned = align(photo)
        height, width = photo.pixels.shape[:2]
        inside = inside_photo(aligned.window, width, height, aligned.image.shape[-1])
        yield HeadToLift(name, aligned.image, aligned.camera, inside=inside)


def with_memory(head: HeadToLift) -> HeadToLift:
    """Return the photo with a truth that renders each view once: every method is compared to it."""
    truth = head.truth
    if truth is None:
        return head
    seen: dict[tuple[float, ...], TrueViews] = {}

    def remembered(camera: Camera, size: int) -> TrueViews:
        key = (*camera.label25().flatten().tolist(), size)
        if key not in seen:
            seen[key] = truth(camera, size)
        return seen[key]

    return replace(head, truth=remembered)


class _PortraitTruth:
    """Renders a portrait as if it were a true head."""

    def __init__(self, portrait: TriPlanePortrait, network: AvatarFeatures) -> None:
        self._portrait, self._network = portrait, network

    @torch.no_grad()
    def __call__(self, camera: Camera, size: int) -> TrueViews:
        view = self._portrait.render(camera.to(self._portrait.planes.device), size)
        logits = self._network.region_logits(self._network(resize(view.image, WHOLE_HEAD_SIZE)))
        regions = resize(logits, size).argmax(dim=1)
        alpha = resize(view.alpha, size)
        depth = axial_depth(camera, resize(view.depth, size)[:, 0])
        depth = torch.where((alpha[:, 0] > 0.5) & depth.isfinite(), depth, torch.zeros_like(depth))
        return TrueViews(view.image.clamp(-1, 1), alpha, regions, depth)


def axial_depth(camera: Camera, distance: Tensor) -> Tensor:
    """Turn distances along unit rays [v, h, h] into the cameras' z [v, h, h]."""
    size = distance.shape[-1]
    factor = Pinhole.of(camera[:1], size).along_axis(torch.ones(size, size).double().numpy())
    return distance * torch.from_numpy(factor).to(distance)
