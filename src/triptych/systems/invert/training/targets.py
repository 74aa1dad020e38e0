"""Training targets of encoders: renders of avatars, the generator's own heads, photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.camera import Camera, random_views
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.preview import preview_render
from triptych.ops.colour import from_uint8
from triptych.ops.placement import device_of
from triptych.ops.resize import fit_size
from triptych.photos.labelled_images import LabelledImages
from triptych.training.domain_randomisation import randomised

SecondView = Literal["true", "mirrored"]
"""The second view of a target: another known one where there is any, or always the mirror image."""

_FIRST_TRAINING_SEED = 100_000


@dataclass(frozen=True)
class Target:
    """One head as it is to be reconstructed.

    Attributes:
        image: The picture [3, s, s] in [-1, 1].
        camera: Its camera.
        second: A second view [3, s, s]: another picture of the head, or the mirrored picture.
        second_camera: Its camera.
        ws: The head's style codes [num_ws, w_dim] where they are known.
        alpha: Where the head is [1, s, s], where that is known.
        uncertainty: Of the mirrored picture [s, s], where there is a map.
        seen: What the encoder is shown instead of the picture; None shows the picture.
    """

    image: Tensor
    camera: Camera
    second: Tensor
    second_camera: Camera
    ws: Tensor | None = None
    alpha: Tensor | None = None
    uncertainty: Tensor | None = None
    seen: Tensor | None = None

    def to(self, device: torch.device | str) -> Target:
        """Return the target on another device."""

        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        return Target(
            self.image.to(device),
            self.camera.to(device),
            self.second.to(device),
            self.second_camera.to(device),
            moved(self.ws),
            moved(self.alpha),
            moved(self.uncertainty),
            moved(self.seen),
        )


class TargetSource(Protocol):
    """Where targets come from."""

    def draw(self, rng: np.random.Generator) -> Target:
        """Return a target, on the CPU, that depends on nothing but the numbers drawn."""


class AvatarTargets:
    """Rendered avatars, whose attribute vector, and so whose style codes, are known."""

    def __init__(
        self, shards: ShardSet, generator: TriPlaneGenerator, second_view: SecondView
    ) -> None:
        z_dim, own = generator.config.z_dim, int(shards.get("attributes", 0).shape[0])
        if z_dim != own:
            raise UserError(
                f"the shards hold {own} attributes, the generator takes {z_dim}; render shards "
                "with the version that the generator was trained with"
            )
        self._shards, self._generator, self._second_view = shards, generator, second_view

    def draw(self, rng: np.random.Generator) -> Target:
        """Return a random view of a random head."""
        shards = self._shards
        head = int(rng.integers(len(shards)))
        view, other = rng.choice(shards.num_views, 2, replace=shards.num_views < 2)
        return self.target(head, int(view), int(other))

    def target(self, head: int, view: int, other: int) -> Target:
        """Return a view of a head, with another view of it as the second."""
        shards, size = self._shards, self._generator.config.image_size
        picture, second = (self._picture(head, index, size) for index in (view, other))
        camera, second_camera = (self._camera(head, index) for index in (view, other))
        if self._second_view == "mirrored":
            second, second_camera = picture.flip(-1), camera.mirrored()
        attributes = torch.from_numpy(np.array(shards.get("attributes", head)))[None]
        with torch.no_grad():
            ws = self._generator.mapping(attributes.to(device_of(self._generator)))[0].cpu()
        alpha = torch.from_numpy(np.array(shards.get("alpha", head)[view])).float() / 255
        alpha = fit_size(alpha[None, None], size)[0]
        return Target(picture, camera, second, second_camera, ws, alpha)

    def _picture(self, head: int, view: int, size: int) -> Tensor:
        pixels = torch.from_numpy(np.array(self._shards.get("rgb", head)[0, view]))
        return fit_size(from_uint8(pixels[None]), size)[0]

    def _camera(self, head: int, view: int) -> Camera:
        cam2world = torch.from_numpy(np.array(self._shards.get("cam2world", head)[view]))
        return Camera.with_focal(cam2world[None])


class OwnTargets:
    """The generator's own heads from random cameras, each rendered when first drawn and kept.

    Args:
        generator: The generator.
        second_view: See `SecondView`.
        num_heads: How many heads; two pictures each stay in memory.
        yaw_range, pitch_range: Largest angles of the cameras, in radians.
    """

    def __init__(
        self,
        generator: TriPlaneGenerator,
        second_view: SecondView,
        num_heads: int,
        yaw_range: float,
        pitch_range: float,
    ) -> None:
        self._generator, self._second_view, self._num_heads = generator, second_view, num_heads
        self._yaw, self._pitch = (-yaw_range, yaw_range), (-pitch_range, pitch_range)
        self._kept: dict[int, Target] = {}

    def draw(self, rng: np.random.Generator) -> Target:
        """Return one of the heads."""
        seed = _FIRST_TRAINING_SEED + int(rng.integers(self._num_heads))
        if seed not in self._kept:
            self._kept[seed] = self.target(seed)
        return self._kept[seed]

    @torch.no_grad()
    def target(self, seed: int) -> Target:
        """Return a random view of the head of a seed."""
        generator, config = self._generator, self._generator.config
        cameras = random_views(2, self._yaw, self._pitch, torch.Generator().manual_seed(seed))
        cameras = cameras.to(device_of(generator))
        ws = generator.mapping(generator.latent(seed))
        if self._second_view == "mirrored":
            shown = preview_render(generator, ws, cameras[0])
            second, second_camera = shown.image[0].flip(-1), cameras[0].mirrored()
        else:
            shown = preview_render(generator, ws, cameras)
            second, second_camera = shown.image[1], cameras[1]
        alpha = fit_size(shown.alpha[:1], config.image_size)[0]
        image, second = shown.image[0].clamp(-1, 1), second.clamp(-1, 1)
        return Target(image, cameras[0], second, second_camera, ws[0], alpha).to("cpu")


class PhotoTargets:
    """Aligned photos with cameras; nothing but the mirror image is known besides."""

    def __init__(self, photos: LabelledImages, size: int) -> None:
        self._photos, self._size = photos, size

    def draw(self, rng: np.random.Generator) -> Target:
        """Return a random photo."""
        index = int(rng.integers(len(self._photos)))
        image = fit_size(self._photos.image(index)[None], self._size)[0]
        camera = self._photos.camera[index]
        uncertainty = self._photos.mirror_uncertainty_map(index, self._size)
        return Target(image, camera, image.flip(-1), camera.mirrored(), uncertainty=uncertainty)


class MixedTargets:
    """Targets from several sources, some with randomised background and light.

    Args:
        sources: Pairs of a source and how often it is taken; the shares are scaled to sum to 1.
        domain_randomisation: Share of targets with another background and light as input.
        background: Value of the plain background.
    """

    def __init__(
        self,
        sources: Sequence[tuple[TargetSource, float]],
        *,
        domain_randomisation: float,
        background: float,
    ) -> None:
        present = [(source, share) for source, share in sources if share > 0]
        if not present:
            raise UserError("inversion: no source of pictures; give shards, photos or own_share")
        self._sources = [source for source, _ in present]
        shares = np.array([share for _, share in present])
        self._shares, self._domain_randomisation = shares / shares.sum(), domain_randomisation
        self._background = background

    def target_of(self, seed: int) -> Target:
        """Return the target that a seed stands for."""
        rng = np.random.default_rng(seed)
        source = self._sources[int(rng.choice(len(self._sources), p=self._shares))]
        domain_randomisation, light = (
            rng.random() < self._domain_randomisation,
            int(rng.integers(2**62)),
        )
        target = source.draw(rng)
        if not domain_randomisation:
            return target
        seen = randomised(target.image, target.alpha, self._background, light)
        return replace(target, seen=seen)
