"""Seeds' heads with planes fitted to their avatars: the teacher's head in the student's planes.

A generator of avatars learned from renders of avatars, and shows a softer head than they do. Here
the avatar of a seed is rendered again and the generator's planes are fitted to the renders, with
the decoder held, so that the result is a portrait like any other of that generator. It needs the
head assets, and says nothing about heads that have no avatar: photos, styles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads
from triptych.camera import FOCAL, look_at_camera
from triptych.config import to_dict
from triptych.errors import UserError
from triptych.files import make_writable_folder, user_cache_folder
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.portrait import TriPlanePortrait
from triptych.training.plane_fitting import DepthViews, Perceptual, PlaneFitConfig, PlaneFitting
from triptych.weights.safetensors_file import FileHeader, content_hash, load_tensors, save_tensors

_CACHE_FOLDER = "fitted-heads"
_CLASS_NAME = "FittedPlanes"
# Changes when the fitting does, so that older results are not taken for new ones.
_VERSION = 1
_PITCHES = (0.0, 0.3, -0.3)


@dataclass(frozen=True)
class FittedHeadConfig:
    """What a head is fitted to, and how.

    Attributes:
        views: Renders of the avatar, evenly spread over the yaws.
        yaw_range: Largest yaw of a render in radians, to both sides.
        size: Side of the renders in pixels.
        fit: How planes are fitted.
    """

    views: int = 16
    yaw_range: float = 0.8
    size: int = 256
    fit: PlaneFitConfig = field(default_factory=PlaneFitConfig)


class FittedHeads:
    """Fits portraits of seeds to the seeds' avatars; results are kept in a cache.

    Args:
        heads: The avatars; those of the default asset pack when None.
        perceptual: Distance [b] of two batches of pictures, where patches are compared; the
            embedded one when None.
        config: What a head is fitted to, and how.
        cache: Folder of finished planes; "fitted-heads" in the user's cache folder when None.

    Raises:
        UserError: There is no asset pack, or the cache cannot be written or has no space left.
    """

    def __init__(
        self,
        heads: TrueHeads | None = None,
        perceptual: Perceptual | None = None,
        config: FittedHeadConfig | None = None,
        cache: str | Path | None = None,
    ) -> None:
        self.heads = AvatarHeads() if heads is None else heads
        self.config = config or FittedHeadConfig()
        self.perceptual = perceptual
        if perceptual is None and self.config.fit.patches:
            self.perceptual = AvatarPerceptualDistance.from_pretrained()
        self.cache = Path(cache) if cache else user_cache_folder() / _CACHE_FOLDER
        make_writable_folder(self.cache)

    def __call__(
        self,
        portrait: TriPlanePortrait,
        seed: int,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> TriPlanePortrait:
        """Return the portrait with planes fitted to the seed's avatar.

        Args:
            portrait: The generator's portrait of that seed, on the CPU or another device.
            seed: The seed.
            progress: Called with (steps done, all steps).

        Raises:
            UserError: The portrait is not of a generator of avatars.
        """
        check_has_avatar(portrait)
        views = self._views(seed)
        file = self.cache / f"{self._key(portrait, views)}.safetensors"
        if file.exists():
            planes = load_tensors(file, _CLASS_NAME)[0]["planes"]
        else:
            planes = self._fitted(portrait.to("cpu"), views, progress)
            save_tensors(file, {"planes": planes}, FileHeader(_CLASS_NAME, to_dict(self.config)))
        refined = {"refined": {"planes": "fitted to the avatar", **to_dict(self.config)}}
        return replace(
            portrait,
            planes=planes.to(portrait.planes),
            provenance={**portrait.provenance, **json.loads(json.dumps(refined))},
        )

    def _views(self, seed: int) -> DepthViews:
        config = self.config
        yaws = torch.linspace(-config.yaw_range, config.yaw_range, config.views)
        pitches = torch.tensor([_PITCHES[i % len(_PITCHES)] for i in range(config.views)])
        camera = look_at_camera(yaws, pitches)
        true = self.heads.views(seed, None, camera, config.size).to("cpu")
        assert true.depth is not None, "avatars are rendered with depth"
        return DepthViews(true.image, true.alpha[:, 0], true.depth, camera.cam2world, FOCAL)

    def _key(self, portrait: TriPlanePortrait, views: DepthViews) -> str:
        """Return a name of what the fitting starts from, aims at and does."""
        tensors = {
            **{f"decoder.{name}": value for name, value in portrait.decoder.state_dict().items()},
            "planes": portrait.planes,
            "image": views.image,
            "alpha": views.alpha,
            "depth": views.depth,
        }
        contents = content_hash({name: value.cpu().contiguous() for name, value in tensors.items()})
        settings = json.dumps([_VERSION, contents, to_dict(self.config)], sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()

    @torch.enable_grad()  # evaluations call it where gradients are off
    def _fitted(
        self,
        portrait: TriPlanePortrait,
        views: DepthViews,
        progress: Callable[[int, int], None] | None,
    ) -> torch.Tensor:
        fitting = PlaneFitting(
            portrait.field,
            views,
            portrait.rendering,
            self.config.fit,
            perceptual=self.perceptual,
            occupancy=portrait.occupancy,
        )
        return fitting.run(progress)


def check_has_avatar(portrait: TriPlanePortrait) -> None:
    """Raise UserError unless a portrait is of a generator whose seeds are avatars."""
    config = portrait.config
    if config.latent_kind != "attributes" or config.z_dim != ATTRIBUTE_DIM:
        raise UserError(
            "seeds of this generator have no avatar to be refined to; expected a generator of "
            "avatars, such as avatar-generator; leave out --refine"
        )
