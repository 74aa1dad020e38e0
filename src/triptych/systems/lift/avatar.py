"""The avatar that a likeness starts from: the attributes whose head lies over the photo's best.

Its hair decides what is behind the picture; its face is warped to the landmarks afterwards, so it
only needs to be of the right kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from triptych.errors import UserError
from triptych.models.attributes import GARMENTS, HAIR_STYLES, attribute_slices
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.feature_network import WHOLE_HEAD_SIZE, AvatarFeatures
from triptych.ops.colour import to_uint8
from triptych.ops.resize import resize
from triptych.portrait import TriPlanePortrait
from triptych.progress import Step
from triptych.systems.lift.landmarks import LandmarkFinder
from triptych.systems.lift.outlines import affine_between
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.pinhole import FloatArray
from triptych.systems.lift.regions import region_picture

_CHOSEN = 2.5  # value of the chosen entry of a one-hot block; see `models.attribute_schema`
_MOST = 1.5  # deviations from the mean that a predicted attribute may have
_REACHES = (-2.0, -1.0, 1.0, 2.0)
_BUILDS = (-1.0, 1.0)
_TIED = ("braid01", "ponytail01", "bun")
"""Hair that is tied behind the head: photos do not show it, and wrong guesses stick out."""
_STYLES = tuple(index for index, name in enumerate(HAIR_STYLES) if name not in _TIED)
_FINALISTS = 3  # hair styles of which the shape is tried
_PICTURE, _PORTRAIT = 96, 256  # sides in pixels of trials, and of the head that is laid over
_WEIGHTS = (0.5, 1.0, 1.0, 0.5)  # of background, skin, hair and cloth
_MISSING = 0.5  # weight of what the head lacks

Trials = Literal["all", "hair", "none"]
"""What is tried: hair, its shape and garments; hair styles alone; nothing."""


def num_trials(trials: Trials) -> int:
    """Return how many heads are compared; 1 at least."""
    if trials == "none":
        return 1
    if trials == "hair":
        return len(_STYLES)
    shapes = (_FINALISTS + 1) * len(_REACHES)
    return len(_STYLES) + shapes + len(_BUILDS) + len(GARMENTS)


class AvatarSearch:
    """Chooses hair by the shape of the photo's, then the build and the garment.

    Hair styles are compared first; the best of them then with shorter and longer hair, and the best
    of those with less and more volume. Photo and heads lie over each other by their landmarks.

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
        self,
        image: Tensor,
        photo: Photograph,
        finder: LandmarkFinder,
        trials: Trials,
        step_done: Step,
    ) -> TriPlanePortrait:
        """Return the avatar that lies over a person best, seen from the photo's camera.

        Args:
            image: The person over the plain background [1, 3, s, s] in [-1, 1].
            photo: The measured photo.
            finder: Finds the same landmarks in photo and heads.
            trials: What is tried.
            step_done: Called after each trial.
        """
        features = self._network(resize(image, WHOLE_HEAD_SIZE))
        latent = self._network.attributes(features).clamp(-_MOST, _MOST)
        for name in ("garment", "hair_style"):
            latent = self._chosen(latent, name, int(latent[0, self._slices[name]].argmax()))
        first = self._portrait(latent)
        if trials == "none":
            step_done()
            return first
        camera = photo.camera.to(image.device)
        seen = first.render(camera, _PORTRAIT).image
        inside = torch.from_numpy(photo.inside)[None, None].to(image)
        wanted, counts = _laid_over(
            region_picture(self._network, image),
            resize(inside, WHOLE_HEAD_SIZE),
            photo.landmarks / photo.size,
            finder(to_uint8(seen)[0].cpu().numpy()),
        )

        def likeness(trial: Tensor) -> float:
            step_done()
            seen = self._portrait(trial).render(camera, _PICTURE).image.clamp(-1, 1)
            return _overlap(region_picture(self._network, seen), wanted, counts)

        def best(some: Iterable[_Scored]) -> _Scored:
            return max(some, key=lambda scored: scored.score)

        def scored(some: Iterable[Tensor]) -> list[_Scored]:
            return [_Scored(trial, likeness(trial)) for trial in some]

        styles = scored(self._chosen(latent, "hair_style", index) for index in _STYLES)
        if trials == "hair":
            return self._portrait(best(styles).latent)
        styles = sorted(styles, key=lambda style: style.score)[-_FINALISTS:]
        found = best(
            best([style, *scored(self._reaching(style.latent, "hair_length", _REACHES))])
            for style in styles
        )
        for name, reaches in (("hair_volume", _REACHES), ("weight", _BUILDS)):
            found = best([found, *scored(self._reaching(found.latent, name, reaches))])
        garments = (self._chosen(found.latent, "garment", index) for index in range(len(GARMENTS)))
        return self._portrait(best([found, *scored(garments)]).latent)

    def _portrait(self, latent: Tensor) -> TriPlanePortrait:
        ws = self._generator.mapping(latent)
        return TriPlanePortrait.from_generator(self._generator, ws)

    def _chosen(self, latent: Tensor, name: str, index: int) -> Tensor:
        latent = latent.clone()
        block = latent[0, self._slices[name]]
        block.zero_()
        block[index] = _CHOSEN
        return latent

    def _reaching(self, latent: Tensor, name: str, reaches: Iterable[float]) -> Iterable[Tensor]:
        for reach in reaches:
            trial = latent.clone()
            trial[0, self._slices[name]] = reach
            yield trial


class _Scored(NamedTuple):
    latent: Tensor
    score: float


def _laid_over(
    regions: Tensor, counts: Tensor, here: FloatArray, there: FloatArray | None
) -> tuple[Tensor, Tensor]:
    """Move the photo's regions [1, g, h, h] to where the heads show them.

    Args:
        regions: Shares of the groups.
        counts: 1 where the photo is [1, 1, h, h].
        here: The photo's landmarks [k, 3], in sides of the picture.
        there: The heads' landmarks [k, 3] in pixels; None when they show none.

    Returns:
        The regions, and where they are known.
    """
    if there is None:
        return regions, counts
    to_photo = affine_between(there[:, :2] / _PORTRAIT, here[:, :2])
    line = (np.arange(regions.shape[-1]) + 0.5) / regions.shape[-1]
    places = to_photo(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2))
    grid = torch.from_numpy(2 * places - 1).to(regions).reshape(1, len(line), len(line), 2)
    within = (grid.abs() < 1).all(dim=-1)[:, None]
    moved, known = (
        functional.grid_sample(picture, grid, padding_mode="border", align_corners=False)
        for picture in (regions, counts)
    )
    return moved, known * within


def _overlap(pred: Tensor, wanted: Tensor, counts: Tensor) -> float:
    """Return how well the groups lie over those of the photo, where it is known.

    It is the mean of background's, skin's, hair's and cloth's intersections over unions, less the
    share of the person that is missing: what stands out is carved, what is missing is made up. Skin
    and hair count most: outlines are warped to the photo's, the border between the two is not.
    """
    shared = (torch.minimum(pred, wanted) * counts).sum(dim=(0, 2, 3))
    either = (torch.maximum(pred, wanted) * counts).sum(dim=(0, 2, 3))
    empty, wanted_empty = pred[:, 0], wanted[:, 0]
    missing = ((empty - wanted_empty).clamp(min=0) * counts[:, 0]).sum()
    person = ((1 - wanted_empty) * counts[:, 0]).sum().clamp(min=1.0)
    weights = shared.new_tensor(_WEIGHTS)
    overlap = ((shared / either.clamp(min=1.0))[:4] * weights).sum() / weights.sum()
    return float(overlap - _MISSING * missing / person)
