"""One colour per surface point, with how surely the photo tells it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.nn.feature_network import AvatarFeatures
from triptych.systems.lift.confidence import confidence_of, facing_of
from triptych.systems.lift.fill import carried, fine_structure, joined, recoloured, without_back
from triptych.systems.lift.mirror import MirrorImage
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.pinhole import FloatArray, sampled, smoothstep
from triptych.systems.lift.regions import CLOTH, HAIR, SKIN, region_picture, regions_at
from triptych.systems.lift.shape import Shape
from triptych.systems.lift.silhouette import Mask
from triptych.systems.lift.surface import Surface

_REGION_SMOOTHING = 12
_BESIDE_PHOTO = 0.02  # how much the avatar's regions count beside the photo, where its own go on
_LOWEST_NECK = -0.42  # world units
_SHOULDERS, _LOWEST_SEEN = -0.2, -0.36  # heights in world units
_LONG_HAIR = 0.15  # share of hair in front of the shoulders
_PHOTO_DECIDES = (0.6, 0.85)  # cosines from which on the photo's regions replace the avatar's


@dataclass(frozen=True, eq=False)
class Colours:
    """Colours of a surface.

    A point's colour is `confidence` x the photo there + (1 - confidence) x `fill`, so that all
    views of it agree.

    Attributes:
        surface: The mesh.
        photo: The photo.
        confidence: Trust in the photo at each vertex [n], 0..1.
        fill: Colour in its place [n, 3] in [0, 1].
    """

    surface: Surface
    photo: Photograph
    confidence: FloatArray
    fill: FloatArray

    def at(self, points: FloatArray, confidence: FloatArray, fill: FloatArray) -> FloatArray:
        """Return the colours [m, 3] of surface points [m, 3] from values mixed for them."""
        pixels, _ = self.photo.pinhole.project(points)
        seen = sampled(self.photo.colours, pixels)
        return confidence[:, None] * seen + (1 - confidence[:, None]) * fill

    @property
    def share_seen(self) -> float:
        """Share of the surface's area, above the lower face of the box, that the photo tells."""
        corners = self.surface.triangles
        trust = self.confidence[corners].mean(axis=1)
        return float((trust * self.surface.areas).sum() / self.surface.areas.sum())


def colours_of(
    shape: Shape, photo: Photograph, person_over_plain: Tensor, network: AvatarFeatures
) -> Colours:
    """Colour the surface of a shape.

    Args:
        shape: The solid with the way back to the avatar.
        photo: The photo.
        person_over_plain: Its person over the plain background [1, 3, s, s].
        network: Reads regions.
    """
    surface = shape.solid.surface()
    pinhole = photo.pinhole
    origin = shape.warp(surface.vertices)
    avatar = _avatar_colours(shape, origin, surface.normals)
    shares, known = regions_at(network, shape.avatar, origin)
    pixels, _ = pinhole.project(surface.vertices)
    shares = _with_neck(shares, avatar, surface.vertices)
    shares, known = _with_clothes(shares, known, surface.vertices, _is_below(photo, pixels))
    regions = surface.smoothed(shares * (known[:, None] + 1e-3), _REGION_SMOOTHING)
    regions /= regions.sum(axis=1, keepdims=True)
    picture = region_picture(network, person_over_plain)[0].permute(1, 2, 0).cpu().double().numpy()
    shown = sampled(picture[..., 1:], pixels * (picture.shape[0] / photo.size))
    shown = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1e-6)
    confidence = confidence_of(surface, photo, regions, shown)
    seen = sampled(photo.colours, pixels)
    facing = facing_of(surface, pinhole.position)
    decides = smoothstep(facing, *_PHOTO_DECIDES) * confidence
    regions = decides[:, None] * shown + (1 - decides[:, None]) * regions
    dressed = (shares[:, CLOTH] > 0.5) & (surface.vertices[:, 1] < _SHOULDERS)
    beside = np.where(photo.shows(pixels) | dressed, 1.0, _BESIDE_PHOTO)
    reliability = decides + (1 - decides) * known * beside
    mirror = MirrorImage.of(surface, float(photo.camera.yaw))
    regions, trust = mirror.regions(regions, decides)
    reliability = np.maximum(reliability, trust)
    regions = carried(surface, regions, reliability)
    avatar = without_back(avatar, regions, known)
    confidence, mirrored, use = mirror.colours(seen, confidence, regions, facing)
    guide = recoloured(avatar, seen, confidence, regions)
    fill = joined(surface, seen, guide, confidence, regions, mirrored, use)
    fill += fine_structure(surface, seen, confidence, regions, pinhole.position)
    return Colours(surface, photo, confidence, np.clip(fill, 0, 1))


def _avatar_colours(shape: Shape, origin: FloatArray, normals: FloatArray) -> FloatArray:
    points, towards = torch.from_numpy(origin).float(), torch.from_numpy(normals).float()
    colours = shape.avatar.colours(points, towards).cpu().double().numpy()
    return np.clip((colours + 1) / 2, 0, 1)


def _with_neck(shares: FloatArray, avatar: FloatArray, vertices: FloatArray) -> FloatArray:
    """Count the neck, which is body to the network, as skin: by the avatar's colours."""
    face, body = shares[:, SKIN] > 0.7, shares[:, CLOTH] > 0.7
    if face.sum() < 100 or body.sum() < 100:
        return shares
    low = body & (vertices[:, 1] < np.percentile(vertices[body, 1], 40))
    hue = np.column_stack(
        [avatar[:, 0] - avatar[:, 1], avatar[:, 2] - avatar[:, 1], 0.4 * avatar.mean(axis=1)]
    )
    to_skin, to_cloth = (
        np.linalg.norm(hue - np.median(hue[chosen], axis=0), axis=1) for chosen in (face, low)
    )
    skin = 1 / (1 + np.exp(-(to_cloth - to_skin) / 0.03))
    moved = shares[:, CLOTH] * skin * (vertices[:, 1] > _LOWEST_NECK)
    shares = shares.copy()
    shares[:, CLOTH] -= moved
    shares[:, SKIN] += moved
    return shares


def _with_clothes(
    shares: FloatArray, known: FloatArray, vertices: FloatArray, below: Mask
) -> tuple[FloatArray, FloatArray]:
    """Dress the body: return shares [n, g] and how well each vertex's are known [n].

    Skin below the photo is cloth: collars close there, as far as is known. Shoulders are no hair,
    which they look like to the network from the side, unless hair reaches them in front. Nothing
    shows what lies still lower: cloth.

    Args:
        shares: Shares of the groups, as views of the avatar show them.
        known: In how many views, 1 at most.
        vertices: World points [n, 3].
        below: Vertices that the camera sees below the photo's lower edge [n].
    """
    shares, known = shares.copy(), known.copy()
    shares[below, CLOTH] += shares[below, SKIN]
    shares[below, SKIN] = 0
    height = vertices[:, 1]
    low = height < _SHOULDERS
    in_front = low & (known > 0) & (vertices[:, 2] > 0)
    if not in_front.any() or shares[in_front, HAIR].mean() < _LONG_HAIR:
        shares[low, CLOTH] += shares[low, HAIR]
        shares[low, HAIR] = 0
    unseen = height < _LOWEST_SEEN
    shares[unseen] = np.eye(shares.shape[1])[CLOTH]
    known[unseen] = np.maximum(known[unseen], 0.5)
    return shares, known


def _is_below(photo: Photograph, pixels: FloatArray) -> Mask:
    rows = np.flatnonzero(photo.inside.any(axis=1))
    return pixels[:, 1] > (rows[-1] + 1 if len(rows) else photo.size)
