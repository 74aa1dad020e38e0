"""Avatars before and after an edit, with rays of true views: data of recipes that learn edits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Sized
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.avatars.styles.catalogue import STYLES
from triptych.camera import FOCAL, Camera
from triptych.errors import UserError, shown
from triptych.fields.triplane import TriPlaneField
from triptych.render.guided_rays import GuidedSampling, guided_depths, rays_through
from triptych.render.nearby_surfaces import nearby_surfaces
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig
from triptych.render.surface_depths import surface_depths
from triptych.training.avatar_patches import AvatarPatches, PatchPlan
from triptych.training.domain_randomisation import randomised
from triptych.training.style_variants import drawn_styles, pictures_of, rendered_variants

_PLAIN = 0.5
_COARSE = 12


@dataclass(frozen=True, eq=False)
class TrueRays:
    """Rays through patches of true pictures, b = heads * views.

    Attributes:
        rays: [heads, views * r, 3].
        depths: Samples round the surface of the original [heads, views * r, s].
        rgb: Colours over the plain background [b, r, 3] in [-1, 1].
        opacity: Of the original [b, r], in [0, 1].
        distance: Of the original's surface along the unit ray [b, r].
        is_shape: Whether opacity and distance are the target's too [b, 1], as 0 or 1.
    """

    rays: Rays
    depths: Tensor
    rgb: Tensor
    opacity: Tensor
    distance: Tensor
    is_shape: Tensor


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a sample shows.

    Attributes:
        head: Index of the head.
        variant: Name of the target; "original" leaves the head as it is.
        view: Camera of the photo.
    """

    head: int
    variant: str
    view: int


class AvatarViews:
    """Draws heads, variants, photos, references and true rays from avatar shards.

    Args:
        shards: Rendered heads, with style variants where edits are to be learned.
        plan: Patches of rays: heads per step, views of each.
        randomisation: Share of photos that get another background, light, blur and noise.
        drawn_share: Share of targets in a style that only filters the picture.
        hold_out: Styles that are never drawn, alone or in a combination.
    """

    def __init__(
        self,
        shards: ShardSet,
        plan: PatchPlan,
        *,
        randomisation: float = 0.0,
        drawn_share: float = 0.0,
        hold_out: Sequence[str] = (),
    ) -> None:
        self.shards, self.plan = shards, plan
        self.randomisation, self.drawn_share = randomisation, drawn_share
        self.drawn = [name for name in drawn_styles() if name not in hold_out]
        self._hold_out = frozenset(hold_out)
        if unknown := self._hold_out - STYLES.keys():
            raise UserError(f"hold_out: there is no style {shown(min(unknown))}")
        self._patches = AvatarPatches(shards, plan)
        self._heads_of: dict[str, list[int]] = defaultdict(list)
        for head in range(len(shards)):
            for variant in rendered_variants(shards, head):
                self._heads_of[variant].append(head)

    def choose(self, rng: np.random.Generator, kept_share: float) -> Chosen:
        """Draw a head, a variant and a camera.

        Args:
            rng: Source of the draws.
            kept_share: Share of heads that stay as they are.
        """
        head = int(rng.integers(len(self.shards)))
        styled = [
            name
            for name in rendered_variants(self.shards, head)
            if name != ORIGINAL and self._hold_out.isdisjoint(name.split("+"))
        ]
        drawn, kind = str(rng.choice(self.drawn)), rng.random()
        if not styled or kind < kept_share:
            variant = ORIGINAL
        elif kind < kept_share + (1 - kept_share) * self.drawn_share:
            variant = drawn
        else:
            variant = str(rng.choice(styled))
        return Chosen(head, variant, int(rng.integers(self.shards.num_views)))

    def photo(self, chosen: Chosen, rng: np.random.Generator) -> Tensor:
        """Return the head as it is [3, s, s], often as a photograph might show it."""
        picture = pictures_of(self.shards, chosen.head, ORIGINAL, [chosen.view])[0]
        seed = int(rng.integers(2**31))
        if rng.random() >= self.randomisation:
            return picture
        alpha = torch.from_numpy(np.array(self.shards.get("alpha", chosen.head)[chosen.view]))
        return randomised(picture, alpha[None].float() / 255, _PLAIN, seed)

    def reference(self, chosen: Chosen, rng: np.random.Generator) -> Tensor:
        """Return another head in the same style [3, s, s]; the same one where there is no other."""
        variant = chosen.variant
        heads = self._heads_of[ORIGINAL if variant in self.drawn else variant]
        others = [head for head in heads if head != chosen.head] or heads
        view = int(rng.integers(self.shards.num_views))
        return pictures_of(self.shards, int(rng.choice(others)), variant, [view])[0]

    def true_rays(
        self, chosen: list[Chosen], sampling: GuidedSampling, rng: np.random.Generator
    ) -> TrueRays:
        """Return rays through patches of the targets, each from several of its cameras."""
        plan, shards = self.plan, self.shards
        parts: dict[str, list[np.ndarray]] = defaultdict(list)
        for one in chosen:
            views = rng.permutation(shards.num_views)[: plan.views]
            pictures = pictures_of(shards, one.head, one.variant, [int(v) for v in views])
            for view, picture in zip(views, pictures.permute(0, 2, 3, 1).numpy(), strict=True):
                columns, rows = self._patches.window(shards.get("regions", one.head)[view], rng)
                window = np.ix_(rows, columns)
                depth = np.array(shards.get("depth", one.head)[view], dtype=np.float32)
                parts["cam2world"].append(shards.get("cam2world", one.head)[view])
                parts["pixels"].append(np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2))
                parts["rgb"].append(picture[window].reshape(-1, 3))
                opacity = shards.get("alpha", one.head)[view][window] / 255
                parts["opacity"].append(opacity.reshape(-1))
                parts["depth"].append(depth[window].reshape(-1))
                parts["maps"].append(depth)
                parts["is_shape"].append(np.array([keeps_shape(one.variant)]))
        stacked = {
            name: torch.from_numpy(np.stack(items).astype(np.float32))
            for name, items in parts.items()
        }
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        maps = stacked["maps"]
        origins, directions, length = rays_through(
            stacked["cam2world"], stacked["pixels"], shards.size, FOCAL
        )
        surfaces, near = nearby_surfaces(
            maps, maps > 0, stacked["pixels"], sampling.num_guided, sampling.reach, generator
        )
        meets = stacked["opacity"] > 0.5
        depths = guided_depths(surfaces * length[..., None], near, meets, sampling, generator)
        heads = len(chosen)
        return TrueRays(
            Rays(origins.reshape(heads, -1, 3), directions.reshape(heads, -1, 3)),
            depths.reshape(heads, -1, depths.shape[-1]),
            stacked["rgb"],
            stacked["opacity"],
            stacked["depth"] * length,
            stacked["is_shape"],
        )

    def camera(self, head: int, view: int) -> Camera:
        """Return the camera of a picture."""
        return Camera.with_focal(
            torch.from_numpy(np.array(self.shards.get("cam2world", head)[view]))[None]
        )


def keeps_shape(variant: str) -> bool:
    """Say whether a variant surely has the original's shape: itself, or a filter of its picture."""
    return variant == ORIGINAL or variant in drawn_styles()


def with_own_surface(
    depths: Tensor, field: TriPlaneField, rays: Rays, config: RenderConfig, num: int, seed: int
) -> Tensor:
    """Add samples where a field itself has its surface, which may lie elsewhere.

    Args:
        depths: Samples [b, r, s].
        field: The field in training.
        rays: Rays [b, r, 3].
        config: Ray limits and marching rule.
        num: Samples to add.
        seed: Of the draws.
    """
    rng, shape = torch.Generator().manual_seed(seed), rays.origins.shape[:2]
    jitter = torch.rand(*shape, _COARSE, generator=rng).to(depths)
    uniform = torch.rand(*shape, num, generator=rng).to(depths)
    own = surface_depths(field, rays, config, jitter, uniform, keep_every=_COARSE)
    return torch.cat([depths, own], dim=-1).sort(dim=-1).values


def spread_over(items: Sized, num: int) -> list[int]:
    """Return so many indices of heads of a set, or of other items, evenly spread."""
    return sorted({int(index) for index in np.linspace(0, len(items) - 1, num)})


def tinted(colours: Tensor, tints: Tensor) -> Tensor:
    """Return colours [b, ..., 3] changed by a matrix each [b, 3, 3]; the plain background stays."""
    flat = (colours - _PLAIN).flatten(1, -2) @ tints.to(colours).transpose(1, 2)
    return (flat.reshape(colours.shape) + _PLAIN).clamp(-1, 1)
