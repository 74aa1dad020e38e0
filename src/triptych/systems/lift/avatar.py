"""The avatar that a likeness starts from: the attributes whose head lies over the photo's best.

Its hair decides what is behind the picture; its face is warped to the landmarks afterwards, so it
only needs to be of the right kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.models.attributes import GARMENTS, HAIR_STYLES, attribute_slices
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.feature_network import AvatarFeatures
from triptych.ops.resize import resize
from triptych.portrait import TriPlanePortrait
from triptych.progress import Step
from triptych.systems.lift.regions import region_picture

_CHOSEN = 2.5  # value of the chosen entry of a one-hot block; see `models.attribute_schema`
_MOST = 1.5  # deviations from the mean that a predicted attribute may have
_REACHES = (-2.0, -1.0, 1.0, 2.0)
_SHAPES = ("hair_volume", "hair_length", "weight")
_PICTURE = 128
_MISSING = 0.5  # weight of what the head lacks

Trials = Literal["all", "hair", "none"]
"""What is tried: hair, its shape and garments; hair styles alone; nothing."""


def num_trials(trials: Trials) -> int:
    """Return how many heads are compared; 1 at least."""
    if trials == "none":
        return 1
    hair = len(HAIR_STYLES) + 1
    return hair if trials == "hair" else hair + len(_SHAPES) * len(_REACHES) + len(GARMENTS)


class AvatarSearch:
    """Tries hair styles, then their length and volume, then garments, and keeps the best of each.

    Args:
        generator: A generator whose latent holds attributes.
        network: Predicts attributes of the photo, and reads regions of photo and heads.

    Raises:
        UserError: The generator knows no attributes.
    """

    def __init__(self, generator: TriPlaneGenerator, network: AvatarFeatures) -> None:
        if generator.config.latent_kind != "attributes":
            raise UserError(
                "lift needs a generator of avatars, whose latent holds attributes; this one's is "
                f"{generator.config.latent_kind}"
            )
        self._generator, self._network = generator, network
        self._slices = attribute_slices()

    @torch.no_grad()
    def __call__(
        self, image: Tensor, camera: Camera, inside: Tensor, trials: Trials, step_done: Step
    ) -> TriPlanePortrait:
        """Return the avatar that lies over a person best, seen from the photo's camera.

        Args:
            image: The person over the plain background [1, 3, s, s] in [-1, 1].
            camera: Its camera.
            inside: 1 where the picture shows the photo [1, 1, s, s].
            trials: What is tried.
            step_done: Called after each trial.
        """
        wanted = region_picture(self._network, image)
        counts = resize(inside, wanted.shape[-1])
        features = self._network(resize(image, wanted.shape[-1]))
        latent = self._network.attributes(features).clamp(-_MOST, _MOST)

        def likeness(trial: Tensor) -> float:
            step_done()
            seen = self._portrait(trial).render(camera, _PICTURE).image.clamp(-1, 1)
            return _overlap(region_picture(self._network, seen), wanted, counts)

        latent = self._chosen(latent, "garment", int(latent[0, self._slices["garment"]].argmax()))
        if trials == "none":
            hair = int(latent[0, self._slices["hair_style"]].argmax())
            step_done()
            return self._portrait(self._chosen(latent, "hair_style", hair))
        latent = max(self._choices(latent, "hair_style"), key=likeness)
        best = likeness(latent)
        if trials == "hair":
            return self._portrait(latent)
        for name in _SHAPES:
            for trial in self._reaches(latent, name):
                if (found := likeness(trial)) > best:
                    latent, best = trial, found
        for trial in self._choices(latent, "garment"):
            if (found := likeness(trial)) > best:
                latent, best = trial, found
        return self._portrait(latent)

    def _portrait(self, latent: Tensor) -> TriPlanePortrait:
        ws = self._generator.mapping(latent)
        return TriPlanePortrait.from_generator(self._generator, ws)

    def _choices(self, latent: Tensor, name: str) -> Iterable[Tensor]:
        width = self._slices[name].stop - self._slices[name].start
        return [self._chosen(latent, name, index) for index in range(width)]

    def _chosen(self, latent: Tensor, name: str, index: int) -> Tensor:
        latent = latent.clone()
        block = latent[0, self._slices[name]]
        block.zero_()
        block[index] = _CHOSEN
        return latent

    def _reaches(self, latent: Tensor, name: str) -> Iterable[Tensor]:
        for reach in _REACHES:
            trial = latent.clone()
            trial[0, self._slices[name]] = reach
            yield trial


def _overlap(pred: Tensor, wanted: Tensor, counts: Tensor) -> float:
    """Return how well the groups lie over those of the photo, where it is known.

    It is the mean of background's, skin's, hair's and cloth's intersections over unions, less the
    share of the person that is missing: what stands out is carved, what is missing is made up.
    """
    shared = (torch.minimum(pred, wanted) * counts).sum(dim=(0, 2, 3))
    either = (torch.maximum(pred, wanted) * counts).sum(dim=(0, 2, 3))
    empty, wanted_empty = pred[:, 0], wanted[:, 0]
    missing = ((empty - wanted_empty).clamp(min=0) * counts[:, 0]).sum()
    person = ((1 - wanted_empty) * counts[:, 0]).sum().clamp(min=1.0)
    return float((shared / either.clamp(min=1.0))[:4].mean() - _MISSING * missing / person)
