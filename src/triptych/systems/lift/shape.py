"""From a photo and an avatar to a solid in the photo's pose, with the way back to the avatar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from triptych.errors import UserError
from triptych.nn.feature_network import AvatarFeatures
from triptych.ops.colour import to_uint8
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.landmarks import LandmarkFinder
from triptych.systems.lift.outlines import OutlineMatch, match_outlines, outline_of
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.pinhole import FloatArray
from triptych.systems.lift.regions import region_picture
from triptych.systems.lift.silhouette import Mask, with_crown
from triptych.systems.lift.solid import Solid, fitted_to_outline, surface_level, warped_density
from triptych.systems.lift.warp import WarpToAvatar, filled_front, no_warp, warp_to_avatar

LEAST_OVERLAP = 0.85
"""Intersection over union of warped avatar and person below which the person's outline is left."""

_TARGET_STEP = 2.0  # pixels between points of the photo's outline
_BEYOND = 6.0  # pixels of 512 by which the head is warped past the outline, before it is carved:
# a surface that just reaches the outline is too thin there to hide the background


@dataclass(frozen=True, eq=False)
class Shape:
    """The solid of a likeness and where it came from.

    Attributes:
        solid: Raw densities in the photo's pose.
        warp: Maps points of the solid to the avatar.
        avatar: The avatar.
        match: How the outlines were matched.
        overlap: Intersection over union of the warped avatar and the person's mask.
        outline_fits: Whether the person's outline shaped the solid; else only the landmarks did.
    """

    solid: Solid
    warp: WarpToAvatar
    avatar: TriPlanePortrait
    match: OutlineMatch
    overlap: float
    outline_fits: bool


def shape_of(
    photo: Photograph,
    person_over_plain: Tensor,
    avatar: TriPlanePortrait,
    finder: LandmarkFinder,
    network: AvatarFeatures,
    resolution: int,
    *,
    warp: bool = True,
) -> Shape:
    """Warp an avatar to a photo's landmarks and outline.

    Args:
        photo: The measured photo.
        person_over_plain: Its person over the plain background [1, 3, s, s].
        avatar: The avatar to start from.
        finder: Finds the same landmarks in photo and render.
        network: Reads regions.
        resolution: Densities along each side of the box.
        warp: Off: carve and fill the avatar as it is.

    Raises:
        UserError: No landmarks are found on the avatar.
    """
    pinhole = photo.pinhole
    view = avatar.render(photo.camera, photo.size)
    landmarks = finder(to_uint8(view.image)[0].cpu().numpy())
    if landmarks is None:
        raise UserError(
            "no landmarks are found on the avatar from the photo's camera; expected a face that is "
            "about upright and seen from the front; use another photo"
        )
    alpha = view.alpha[0, 0].cpu().double().numpy()
    front = filled_front(pinhole.along_axis(view.depth[0, 0].cpu().double().numpy()), alpha)
    person, known = with_crown(photo.person, photo.inside)
    match = match_outlines(
        outline_of(alpha > 0.5, _regions(network, view.image)),
        outline_of(
            person,
            _regions(network, person_over_plain),
            known=known,
            step=_TARGET_STEP,
            outwards=_BEYOND,
        ),
        landmarks[:, :2],
        photo.landmarks[:, :2],
        known,
    )
    level = surface_level(avatar)

    def solid_of(outline: tuple[FloatArray, FloatArray], known: Mask) -> tuple[Solid, WarpToAvatar]:
        way = no_warp(pinhole, front)
        if warp:
            way = warp_to_avatar(pinhole, photo.landmarks, landmarks, outline, front)
        density = warped_density(avatar, way, resolution)
        return fitted_to_outline(density, level, avatar.box_size, pinhole, person, known), way

    solid, way = solid_of((match.target, match.source), known)
    if solid.overlap >= LEAST_OVERLAP or not warp:
        return Shape(solid, way, avatar, match, solid.overlap, outline_fits=True)
    overlap, nothing = solid.overlap, np.empty((0, 2))
    solid, way = solid_of((nothing, nothing), np.zeros_like(known))
    return Shape(solid, way, avatar, match, overlap, outline_fits=False)


def _regions(network: AvatarFeatures, image: Tensor) -> FloatArray:
    return region_picture(network, image)[0, 1:].permute(1, 2, 0).cpu().double().numpy()
