"""The ways from examples of a style to styled heads that an evaluation compares."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from safetensors.torch import save
from torch import Tensor

from triptych.config import to_dict
from triptych.models.eg3d import TriPlaneGenerator
from triptych.photos.artworks import Artwork
from triptych.photos.example_styles import ExampleStyles
from triptych.portrait import TriPlanePortrait
from triptych.portrait.style_pack import StylePack
from triptych.systems.adapt.evaluation.fine_tuning import FineTuning, FineTuningSettings
from triptych.systems.adapt.few_shot import FewShotSettings
from triptych.systems.adapt.pipeline import AdaptPipeline

UNSTYLED, INSTANT, TUNED, PUBLISHED = (
    "unstyled",
    "instant encoder",
    "fine-tuning everything",
    "published losses",
)
HeadOf = Callable[[int], TriPlanePortrait]


class Rival(Protocol):
    """Another way to a style, which a front end brings along: it knows the style by its name.

    Attributes:
        name: Of its row.
    """

    name: str

    def plan(self) -> Mapping[str, Any]:
        """Return what decides its heads, as JSON values."""

    def __call__(self, style: str, seed: int) -> TriPlanePortrait:
        """Return the head of a seed in a style."""


@dataclass(frozen=True, eq=False)
class Styled:
    """What a method made of the examples of a style.

    Attributes:
        head: The styled head of a seed.
        seconds: Time for the style, before any head; None where each head takes its own.
        megabytes: What the style takes on disk.
    """

    head: HeadOf
    seconds: float | None
    megabytes: float


def published_losses(settings: FewShotSettings) -> FewShotSettings:
    """Return the release's weights, no shifts, no colours and nothing that holds the shape.

    The discriminator is missing: a handful of pictures cannot feed one.
    """
    return dataclasses.replace(
        settings,
        style=1.0,
        content=1.0,
        identity=0.5,
        density=0.1,
        shape=0.0,
        shift_rate=0.0,
        colour_rate=0.0,
    )


class Methods:
    """Makes styled heads by every method.

    Args:
        pipeline: Learns styles, and has the generator.
        settings: Of the few-shot recipe.
        counts: How many examples it is given, one row each; the largest for the other methods.
        instant: The example styler; None leaves its row out.
        rival: Another method.
    """

    def __init__(
        self,
        pipeline: AdaptPipeline,
        settings: FewShotSettings,
        counts: tuple[int, ...],
        instant: ExampleStyles | None,
        rival: Rival | None,
    ) -> None:
        self.pipeline, self.settings, self.counts = pipeline, settings, counts
        self.instant, self.rival = instant, rival

    @property
    def names(self) -> tuple[str, ...]:
        """The methods, in the order of the rows."""
        found = [UNSTYLED, PUBLISHED, *(few_shot(count) for count in self.counts)]
        if self.instant is not None:
            found.append(INSTANT)
        found.append(TUNED)
        return tuple([*found, self.rival.name] if self.rival is not None else found)

    def plan(self) -> dict[str, Any]:
        """Return what decides the heads, as JSON values."""
        return {
            "model": self.pipeline.name,
            "hashes": self.pipeline.hashes,
            "settings": to_dict(self.settings),
            "counts": list(self.counts),
            "instant": None if self.instant is None else self.instant.hashes,
            "rival": None if self.rival is None else dict(self.rival.plan()),
        }

    def __call__(self, method: str, style: str, examples: Tensor) -> Styled:
        """Make a style.

        Args:
            method: One of `names`.
            style: Its name, which only the rival reads.
            examples: Pictures in the style [n, 3, s, s] in [-1, 1].
        """
        generator, started = self.pipeline.generator, time.monotonic()
        artworks = [Artwork(str(index), one[None], None) for index, one in enumerate(examples)]
        if method == UNSTYLED:
            return Styled(heads_of(generator), 0.0, 0.0)
        if self.rival is not None and method == self.rival.name:
            rival = self.rival
            return Styled(lambda seed: rival(style, seed), None, 0.0)
        if method == TUNED:
            return self._tuned(examples)
        if method == INSTANT:
            assert self.instant is not None
            pack = self.instant(artworks[:1])
        elif method == PUBLISHED:
            pack = self._learned(artworks, published_losses(self.settings))
        else:
            count = next(count for count in self.counts if few_shot(count) == method)
            pack = self._learned(artworks[:count], self.settings)
        styled = pack.folded(generator, pack.model)
        return Styled(heads_of(styled), time.monotonic() - started, _megabytes(pack))

    def _learned(self, artworks: list[Artwork], settings: FewShotSettings) -> StylePack:
        with torch.enable_grad():
            return self.pipeline(artworks, settings=settings)

    def _tuned(self, examples: Tensor) -> Styled:
        pipeline, started = self.pipeline, time.monotonic()
        values = {**to_dict(self.settings), "rate": FineTuningSettings().rate}
        recipe = FineTuning(
            pipeline.generator,
            pipeline.features,
            pipeline.identity,
            FineTuningSettings(**values),
        )
        with torch.enable_grad():
            tuned = recipe(examples).learned.eval()
        synthesis = tuned.backbone.synthesis.state_dict()
        size = 2 * sum(tensor.numel() for tensor in synthesis.values()) / 1e6
        return Styled(heads_of(tuned), time.monotonic() - started, size)


def few_shot(count: int) -> str:
    """Return the name of the few-shot row with so many examples."""
    return f"few-shot, {count} example{'s' if count > 1 else ''}"


def heads_of(generator: TriPlaneGenerator) -> HeadOf:
    """Return the heads of a generator, by seed."""

    def head(seed: int) -> TriPlanePortrait:
        ws = generator.mapping(generator.latent(seed))
        return TriPlanePortrait.from_generator(generator, ws)

    return head


def _megabytes(pack: StylePack) -> float:
    colours = {} if pack.colours is None else pack.colours.parts()
    tensors = {
        **{f"f.{name}": part for name, part in pack.factors.items()},
        **{f"s.{name}": part for name, part in pack.shifts.items()},
        **colours,
    }
    return len(save({name: part.contiguous() for name, part in tensors.items()})) / 1e6
