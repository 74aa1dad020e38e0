"""Random windows of rendered heads with the ground truth of the head pose network.

A window is a random square of a picture: shifted, scaled, rotated, mirrored, with a random
background and light. The ground truth follows from the known camera and landmarks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import FOCAL, TARGET, Camera
from triptych.nn.head_pose_network import HeadPose
from triptych.training.augmentation import Augmentation, even_draws
from triptych.training.random_backgrounds import random_backgrounds

_PLAIN = 0.5  # the background of rendered heads, in [-1, 1]
_PLAIN_TOLERANCE = 0.02
_SHUFFLED_SHARE = 0.33
_PIECES = 4  # per side


@dataclass(frozen=True)
class LandmarkImages:
    """Pictures of heads with their cameras and landmarks.

    Attributes:
        image: [n, 3, s, s] in [-1, 1], over the plain background.
        alpha: Opacity of the original head [n, 1, s, s], 0..1.
        landmarks: World positions [n, k, 3].
        cam2world: [n, 4, 4].
    """

    image: Tensor
    alpha: Tensor
    landmarks: Tensor
    cam2world: Tensor


@dataclass(frozen=True)
class WindowRanges:
    """How windows are drawn.

    Attributes:
        near: Share of windows close to the refined crop of a detected head; the others are like
            the initial crops of a search.
        near_size, near_shift, near_roll: Largest relative change of size, shift in window widths
            and rotation in radians of the close ones.
        side: Smallest and largest side of initial crops, in widths of the picture.
        shift: Largest distance of the head from the middle of an initial crop, in window widths.
        roll: Largest rotation of initial crops, radians.
        empty: Share of windows without a head. A third of them shows a head in shuffled pieces:
            its colours and edges, but no face.
        background: Share of windows with another background than the plain one.
        occluded: Share of windows with a patch over the head.
    """

    near: float = 0.6
    near_size: float = 0.15
    near_shift: float = 0.07
    near_roll: float = 0.15
    side: tuple[float, float] = (0.55, 2.4)
    shift: float = 0.28
    roll: float = 0.7
    empty: float = 0.15
    background: float = 0.55
    occluded: float = 0.15


def draw_windows(
    images: LandmarkImages,
    size: int,
    window_units: float,
    mirrored: tuple[int, ...],
    ranges: WindowRanges,
    light: Augmentation,
    generator: torch.Generator,
) -> tuple[Tensor, HeadPose]:
    """Draw one window of each picture.

    Args:
        images: The pictures.
        size: Side of the windows in pixels.
        window_units: Side of a refined crop in world units at the head.
        mirrored: Index of the landmark that each becomes in a mirrored picture.
        ranges: How windows are drawn.
        light: Changes of light, blur and noise; without geometry.
        generator: Source of the randomness.

    Returns:
        Windows [n, 3, size, size] in [-1, 1] and their ground truth; the presence is 0 or 1.
    """
    count = len(images.image)
    camera = Camera.with_focal(images.cam2world)
    anchor, per_unit = _projected_anchor(camera)
    centre, side, roll = _draw_squares(anchor, per_unit, window_units, ranges, generator)
    empty = torch.rand(count, generator=generator) < ranges.empty
    pieces = empty & (torch.rand(count, generator=generator) < _SHUFFLED_SHARE)
    window = _cut(images, centre, side, roll, size, empty & ~pieces, ranges, generator)
    window[pieces] = _shuffled(window[pieces], generator)
    rotation = _rotations(roll)
    projected, _ = camera.project(images.landmarks)
    truth = HeadPose(
        landmarks=((projected - centre[:, None]) @ rotation) / side[:, None, None],
        anchor=((anchor - centre)[:, None] @ rotation)[:, 0] / side[:, None],
        log_scale=(per_unit / side).log(),
        rotation=_camera_rotations(roll) @ images.cam2world[:, :3, :3].transpose(1, 2),
        presence=(~empty).float(),
    )
    window, truth = _mirror_half(window, truth, mirrored, generator)
    window = _recoloured(_occluded(window, ranges.occluded, generator), generator)
    regions = torch.zeros(count, size, size, dtype=torch.uint8)
    return light(window, regions, generator)[0], truth


def _projected_anchor(camera: Camera) -> tuple[Tensor, Tensor]:
    """Return the anchor's position [n, 2] and the size of a world unit there [n], image widths."""
    target = camera.cam2world.new_tensor(TARGET).expand(len(camera), 1, 3)
    position, depth = camera.project(target)
    return position[:, 0], FOCAL / depth[:, 0]


def _rotations(roll: Tensor) -> Tensor:
    """Matrices [n, 2, 2] whose columns are the axes of windows turned clockwise."""
    cos, sin = roll.cos(), roll.sin()
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)


def _camera_rotations(roll: Tensor) -> Tensor:
    """Rotations [n, 3, 3] from the camera's axes to those of the turned window."""
    turn = torch.eye(3).repeat(len(roll), 1, 1)
    turn[:, :2, :2] = _rotations(roll).transpose(1, 2)
    return turn


def _draw_squares(
    anchor: Tensor,
    per_unit: Tensor,
    window_units: float,
    ranges: WindowRanges,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return centres [n, 2] and sides [n] in picture widths, and rolls [n]."""
    count = len(anchor)
    near = torch.rand(count, generator=generator) < ranges.near
    low, high = (math.log(side) for side in ranges.side)
    far_side = (low + (high - low) * torch.rand(count, generator=generator)).exp()
    near_side = window_units * per_unit * (ranges.near_size * even_draws(generator, count)).exp()
    side = torch.where(near, near_side, far_side)
    shift = torch.where(near, ranges.near_shift, ranges.shift)[:, None]
    roll = torch.where(near, ranges.near_roll, ranges.roll) * even_draws(generator, count)
    offset = shift * even_draws(generator, count, 2) * side[:, None]
    return anchor + offset, side, roll


def _cut(
    images: LandmarkImages,
    centre: Tensor,
    side: Tensor,
    roll: Tensor,
    size: int,
    empty: Tensor,
    ranges: WindowRanges,
    generator: torch.Generator,
) -> Tensor:
    """Resample the heads to their windows and composite them over backgrounds."""
    count = len(centre)
    # A style may add geometry outside the silhouette of the original head.
    differs = (images.image - _PLAIN).abs().amax(1, keepdim=True) > _PLAIN_TOLERANCE
    cover = torch.maximum(images.alpha, differs.float()) * (~empty)[:, None, None, None]
    # Sampling is premultiplied because it reads zeros outside the picture.
    layered = torch.cat([images.image * cover, cover], dim=1)
    affine = torch.zeros(count, 2, 3)
    affine[:, :, :2] = _rotations(roll) * side[:, None, None]
    affine[:, :, 2] = 2 * centre - 1
    grid = functional.affine_grid(affine, [count, 4, size, size], align_corners=False)
    cut = torch.empty(count, 4, size, size)
    small = side * images.image.shape[-1] / size > 1.5  # source pixels per window pixel
    for chosen, source in ((~small, layered), (small, functional.avg_pool2d(layered, 2))):
        if chosen.any():
            cut[chosen] = functional.grid_sample(source[chosen], grid[chosen], align_corners=False)
    background = torch.full((count, 3, size, size), _PLAIN)
    varied = torch.rand(count, generator=generator) < ranges.background
    if varied.any():
        background[varied] = random_backgrounds(int(varied.sum()), size, generator)
    return cut[:, :3] + (1 - cut[:, 3:]) * background


def _shuffled(window: Tensor, generator: torch.Generator) -> Tensor:
    """Cut windows [n, 3, s, s] into pieces and shuffle them."""
    side = window.shape[-1] // _PIECES
    pieces = functional.unfold(window, side, stride=side)  # [n, 3 * side * side, pieces]
    order = torch.rand(len(window), 1, _PIECES**2, generator=generator).argsort(dim=2)
    mixed = pieces.gather(2, order.expand_as(pieces))
    return functional.fold(mixed, window.shape[-2:], side, stride=side)


def _mirror_half(
    window: Tensor, truth: HeadPose, mirrored: tuple[int, ...], generator: torch.Generator
) -> tuple[Tensor, HeadPose]:
    flipped = torch.rand(len(window), generator=generator) < 0.5
    other = truth.mirrored(mirrored)
    window = torch.where(flipped[:, None, None, None], window.flip(3), window)

    def choose(name: str) -> Tensor:
        own, turned = getattr(truth, name), getattr(other, name)
        return torch.where(flipped.view(-1, *[1] * (own.ndim - 1)), turned, own)

    names = ("landmarks", "anchor", "log_scale", "rotation", "presence")
    return window, HeadPose(*(choose(name) for name in names))


def _occluded(window: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Cover a part of some windows with a background patch, as by a hand, hair or a mask."""
    chosen = (torch.rand(len(window), generator=generator) < share).nonzero()[:, 0]
    if not len(chosen):
        return window
    size = window.shape[-1]
    steps = (torch.arange(size) + 0.5) / size - 0.5
    centre = 0.4 * even_draws(generator, len(chosen), 2, 1, 1)
    half = 0.06 + 0.16 * torch.rand(len(chosen), 2, 1, 1, generator=generator)
    x = ((steps[None, None, :] - centre[:, 0]) / half[:, 0]).abs()
    y = ((steps[None, :, None] - centre[:, 1]) / half[:, 1]).abs()
    round_one = torch.rand(len(chosen), 1, 1, generator=generator) < 0.5
    inside = torch.where(round_one, x.square() + y.square() < 1, torch.maximum(x, y) < 1)
    patch = random_backgrounds(len(chosen), size, generator)
    covered = window.clone()
    covered[chosen] = torch.where(inside[:, None], patch, window[chosen])
    return covered


def _recoloured(window: Tensor, generator: torch.Generator) -> Tensor:
    """Randomly mix colour channels, change the gamma and add a shading gradient."""
    count = len(window)
    mixing = torch.eye(3) + 0.12 * torch.randn(count, 3, 3, generator=generator)
    grey = (torch.rand(count, generator=generator) < 0.15)[:, None, None]
    mixing = torch.where(grey, torch.full((3, 3), 1 / 3), mixing)
    window = (mixing @ window.flatten(2)).view_as(window)
    gamma = (0.4 * even_draws(generator, count, 1, 1, 1)).exp()
    window = 2 * ((window + 1) / 2).clamp(1e-3, 1) ** gamma - 1
    steps = torch.linspace(-1, 1, window.shape[-1])
    slope = 0.25 * torch.randn(count, 2, 1, 1, 1, generator=generator)
    shade = slope[:, 0] * steps[None, None, None] + slope[:, 1] * steps[None, None, :, None]
    return window * (1 + 0.6 * shade) + 0.3 * shade
