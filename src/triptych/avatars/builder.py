"""From an identity to a finished avatar: shape, parts, bust, light."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets
from triptych.avatars.avatar import Avatar, AvatarImage
from triptych.avatars.geometry import materials
from triptych.avatars.geometry.bust import clamp_to_bust, floor_cap, inside_bust
from triptych.avatars.geometry.clothing import Wardrobe, sunk_below_cloth
from triptych.avatars.geometry.eyes import FaceParts
from triptych.avatars.geometry.growths import Growths
from triptych.avatars.geometry.hair_meshes import CardHair
from triptych.avatars.geometry.hair_shells import ShellHair
from triptych.avatars.geometry.head_template import build_template
from triptych.avatars.geometry.mesh import concatenate_triangles, smooth_step, vertex_normals
from triptych.avatars.geometry.morphs import morphed_base
from triptych.avatars.geometry.parts import Part
from triptych.avatars.geometry.placement import Placement, place
from triptych.avatars.people.appearance import Appearance, appearance_from_attributes
from triptych.avatars.people.identity import Identity
from triptych.avatars.shading.lighting import (
    BakedLight,
    Occluders,
    bake,
    strand_highlight,
    studio_lighting,
    surface_highlight,
)
from triptych.avatars.shading.shade_params import shade_params

__all__ = ["Avatar", "AvatarBuilder", "AvatarImage", "Style"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SKIN_INSET = 0.012  # world units of skin behind the cut of the garment
_SKIN_WRAP = (0.34, 0.20, 0.14)
# Minimum light per material, against black creases.
_LIGHT_FLOORS = {
    materials.TEETH: 0.80,
    materials.HAIR_CARDS: 0.40,
    materials.HAIR_SHELL: 0.22,
    materials.CLOTH: 0.20,
}
_SCALP_FLOOR, _FOREHEAD_FLOOR = 0.45, 0.35
_BROW_TOP = 7.65  # rest-pose decimetres
# Skin below this rest height is also lit as if there were no garment, fading in downwards.
_NECK_TOP, _NECK_FULL = 6.25, 6.0


class Style(Protocol):
    """A change of identity, of appearance, or of the finished pictures."""

    @property
    def picture_filter(self) -> str | None:
        """Name of a filter laid over rendered pictures, or None."""

    def transform(self, identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
        """Return the changed identity and appearance."""


class AvatarBuilder:
    """Builds avatars from one asset pack; what all heads share is prepared once.

    Many styles and all materials change only the appearance, so the geometry of the last heads is
    cached by identity.

    Args:
        assets: The asset pack.
        cached_heads: Number of cached heads, about 4 MB each.
    """

    def __init__(self, assets: HeadAssets, cached_heads: int = 2) -> None:
        self.assets = assets
        self._template = build_template(assets)
        self._face = FaceParts(assets)
        self._growths = Growths(assets)
        self._cards = CardHair(assets, self._template)
        self._shells = ShellHair(self._template)
        self._wardrobe = Wardrobe(assets)
        self._lighting = studio_lighting()
        self._cache: deque[tuple[Identity, Avatar]] = deque(maxlen=cached_heads)

    def build(
        self, identity: Identity, style: Style | None = None, appearance: Appearance | None = None
    ) -> Avatar:
        """Build one head.

        Args:
            identity: The identity.
            style: Optional style, applied to the identity and its appearance.
            appearance: Colours; by default those of the identity's attributes.
        """
        appearance = appearance or appearance_from_attributes(identity.attributes)
        if style is not None:
            identity, appearance = style.transform(identity, appearance)
        return replace(
            self._geometry(identity),
            appearance=shade_params(appearance, identity.beard),
            picture_filter=None if style is None else style.picture_filter,
        )

    def _geometry(self, identity: Identity) -> Avatar:
        """Return a head of this geometry with default colours, cached or new."""
        for known, avatar in self._cache:
            if known == identity:
                return avatar
        avatar = self._build_geometry(identity)
        self._cache.append((identity, avatar))
        return avatar

    def _build_geometry(self, identity: Identity) -> Avatar:
        base = morphed_base(identity, self.assets)
        placement = place(base, self.assets, self._template.lip_ids)
        bare = placement.to_world(self._template.refine(base))
        scalp = self._scalp_cover(identity)
        skin = self._skin(identity, bare, placement)
        parts = [skin, *self._face.eyes(identity, placement), self._face.teeth(base, placement)]
        if identity.lashes:
            parts.append(self._face.lashes(base, placement))
        parts += self._growths.parts(identity, base, placement)
        parts += self._hair(identity, base, bare, placement)
        sunk = np.zeros_like(skin.positions)
        if identity.garment is not None:
            garment = self._wardrobe.garment(identity.garment, base, placement)
            sunk = sunk_below_cloth(skin.positions, skin.normals, self._template.rest, garment)
            parts.append(garment)
            cap = floor_cap([skin, garment], materials.CLOTH)
        else:
            cap = floor_cap([skin], materials.SKIN)
        parts.insert(1, cap)
        return self._assemble(parts, bare, scalp, sunk, identity)

    def _scalp_cover(self, identity: Identity) -> FloatArray:
        if identity.hair_style == "bald":
            return np.zeros(len(self._template.rest))
        if self._cards.knows(identity.hair_style):
            return self._cards.scalp(identity.hair_style)
        return self._template.scalp

    def _beard_cover(self, identity: Identity) -> FloatArray:
        whole, goatee = self._template.beard, self._template.goatee
        if identity.beard <= 0.0:
            return whole
        return whole + identity.goatee * (goatee - whole)

    def _skin(self, identity: Identity, bare: FloatArray, placement: Placement) -> Part:
        positions, rest = bare, self._template.rest
        normals = vertex_normals(bare, self._template.triangles)
        if identity.beard > 0.0:
            x, y, z = rest.T
            tufts = np.sin(43 * x + 17 * y) * np.sin(31 * y + 23 * z)
            growth = identity.beard * self._beard_cover(identity) * (0.045 + 0.018 * tufts)
            positions = bare + normals * (placement.scale * growth)[:, None]
            normals = vertex_normals(positions, self._template.triangles)
        return Part(
            positions, normals, self._template.triangles, materials.SKIN, materials.FACE,
            _SKIN_WRAP, rest,
        )  # fmt: skip

    def _hair(
        self, identity: Identity, base: FloatArray, bare: FloatArray, placement: Placement
    ) -> list[Part]:
        style = identity.hair_style
        if self._cards.knows(style):
            return [self._cards.part(identity, base, placement)]
        if self._shells.knows(style):
            return self._shells.parts(style, identity.hair_volume, bare, placement)
        return []

    def _assemble(
        self,
        parts: list[Part],
        bare: FloatArray,
        scalp: FloatArray,
        sunk: FloatArray,
        identity: Identity,
    ) -> Avatar:
        clamped = [clamp_to_bust(part.positions) for part in parts]
        kept = [part.triangles[inside_bust(part.positions, part.triangles)] for part in parts]
        sizes = [len(positions) for positions in clamped]
        positions = np.concatenate(clamped)
        normals = np.concatenate([part.normals for part in parts])
        wrap = np.concatenate([np.tile(part.wrap, (len(part.positions), 1)) for part in parts])
        triangles = concatenate_triangles(zip(sizes, kept, strict=True))
        material = _per_triangle([part.material for part in parts], kept)
        neck = np.flatnonzero(self._template.rest[:, 1] < _NECK_TOP)
        light = bake(
            self._occluders(parts, bare), positions, normals, wrap, self._lighting, bare=neck
        )
        irradiance = self._lifted(light, neck, scalp, triangles, material)
        highlight = surface_highlight(normals, light.openness, self._lighting)
        start = 0
        for part in parts:
            end = start + len(part.positions)
            if part.uv is not None and part.material in (
                materials.HAIR_CARDS,
                materials.HAIR_SHELL,
            ):
                highlight[start:end] = strand_highlight(
                    part.positions, part.triangles, part.uv[:, :2], light.openness[start:end],
                    self._lighting,
                )  # fmt: skip
            start = end
        inset = _SKIN_INSET if identity.garment is not None else 0.0
        positions[: len(sunk)] = clamp_to_bust(positions[: len(sunk)] + sunk, inset)
        return Avatar(
            positions=positions.astype(np.float32),
            triangles=triangles.astype(np.int32),
            materials=material.astype(np.int32),
            triangle_regions=_per_triangle([part.region for part in parts], kept).astype(np.uint8),
            rest=_joined([part.rest for part in parts], sizes, 3),
            irradiance=irradiance.astype(np.float32),
            highlight=highlight.astype(np.float32),
            masks=self._skin_masks(scalp, self._beard_cover(identity), sizes[1]),
            uv=_joined([part.uv for part in parts], sizes, 3),
            appearance=shade_params(
                appearance_from_attributes(identity.attributes), identity.beard
            ),
        )

    def _occluders(self, parts: list[Part], bare: FloatArray) -> Occluders:
        coarse = (bare[: self._template.num_coarse], self._template.coarse_triangles)
        casters: list[tuple[FloatArray, IntArray]] = [coarse]
        cloth: list[tuple[FloatArray, IntArray]] = []
        for part in parts:
            if part.shadow_triangles is not None:
                kind = cloth if part.material == materials.CLOTH else casters
                kind.append((part.positions, part.shadow_triangles))
        return Occluders(tuple(casters), tuple(cloth))

    def _lifted(
        self,
        light: BakedLight,
        neck: IntArray,
        scalp: FloatArray,
        triangles: IntArray,
        material: IntArray,
    ) -> FloatArray:
        """Raise the irradiance where the bake is too dark: neck below a collar, scalp, creases."""
        irradiance = light.irradiance.copy()
        low = smooth_step(_NECK_TOP, _NECK_FULL, self._template.rest[neck, 1])[:, None]
        softened = 0.8 * light.bare_irradiance + 0.2 * irradiance[neck]
        irradiance[neck] += low * (softened - irradiance[neck])
        below_hair = np.flatnonzero((self._template.scalp > 0.3) | (scalp > 0.05))
        irradiance[below_hair] = np.maximum(irradiance[below_hair], _SCALP_FLOOR)
        below_fringe = np.flatnonzero(self._template.rest[:, 1] > _BROW_TOP)
        irradiance[below_fringe] = np.maximum(irradiance[below_fringe], _FOREHEAD_FLOOR)
        for kind, floor in _LIGHT_FLOORS.items():
            chosen = np.unique(triangles[material == kind])
            irradiance[chosen] = np.maximum(irradiance[chosen], floor)
        return irradiance

    def _skin_masks(
        self, scalp: FloatArray, beard: FloatArray, num_cap: int
    ) -> NDArray[np.float32]:
        """Return the masks of the skin and, below, of the cap that closes the bust."""
        masks = np.zeros((len(scalp), materials.NUM_MASKS), np.float32)
        masks[:, materials.SCALP] = scalp
        masks[:, materials.LID] = self._template.lid
        masks[:, materials.MOUTH_INSIDE] = self._template.mouth_inside
        masks[:, materials.EAR] = smooth_step(0.1, 0.4, self._template.ear)
        masks[:, materials.BEARD] = beard
        masks[:, materials.NOSE_MASK] = self._template.nose
        masks[:, materials.BELOW_JAW] = self._template.below_jaw
        cap = np.zeros((num_cap, materials.NUM_MASKS), np.float32)
        cap[:, materials.BELOW_JAW] = 1.0
        return np.concatenate([masks, cap])


def _per_triangle(values: list[int], triangles: list[IntArray]) -> IntArray:
    return np.repeat(np.array(values), [len(own) for own in triangles])


def _joined(arrays: list[FloatArray | None], sizes: list[int], width: int) -> NDArray[np.float32]:
    """Concatenate per-vertex arrays, zeros where a part has none."""
    rows = [
        np.zeros((size, width)) if array is None else array
        for array, size in zip(arrays, sizes, strict=True)
    ]
    return np.concatenate(rows).astype(np.float32)
