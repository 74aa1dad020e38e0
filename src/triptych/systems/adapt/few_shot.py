"""The few-shot recipe: factors of a generator's styles are learned from a few artworks.

PStyle-3D's idea on a small budget: style factors are learned from 1, shifts of the biases and the
change of the decoder's colours from 0, so that the first step is the unstyled head; no
discriminator, which a handful of pictures cannot feed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from triptych.camera import Camera, random_views
from triptych.config import check_fields
from triptych.metrics.identity import IdentityFeatures
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.style_numbers import StyleNumbers
from triptych.ops.placement import device_of
from triptych.ops.resize import fit_size
from triptych.progress import Progress, no_progress
from triptych.systems.adapt.losses import channel_statistics
from triptych.systems.adapt.shape_change import shape_terms
from triptych.training.head_views import HeadViews, ViewDraw, ViewSettings

LEARNING = "learning the style"
FeatureMaps = Callable[[Tensor], Mapping[str, Tensor]]
"""Features of pictures by name, finest first."""

_LARGEST_TRAINING_SEED = 90_000
_FIRST_TRAINING_SEED = 1_000
_PIXELS = "pixels"


@dataclass(frozen=True)
class FewShotSettings:
    """What decides a style beside the artworks.

    Attributes:
        steps: Most steps.
        heads: Heads per step, of seeds that are never shown.
        rate: Adam's largest rate, of the factors.
        shift_rate: The same, of the shifts.
        colour_rate: The same, of the change of the decoder's colours.
        style, content, identity, density: Weights of the published losses.
        shape: Weight of the change of opacity at points of the box, in units of the head's own.
            Without it statistics are met by clouds beside the head.
        check_every: Steps between looks at the held-out artworks.
        patience: In its second half, the fit stops after so many looks without an improvement.
        yaw, pitch: Range of cameras, radians, around the front.
        view_size: Side of the rendered heads in rays.
        seed: Of heads, cameras and samples.
    """

    steps: int = 150
    heads: int = 2
    rate: float = 0.04
    shift_rate: float = 0.01
    colour_rate: float = 0.01
    style: float = 6.0
    content: float = 0.3
    identity: float = 0.5
    density: float = 0.1
    shape: float = 4.0
    check_every: int = 25
    patience: int = 2
    yaw: float = 0.4
    pitch: float = 0.2
    view_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        weight = (0.0, 1e6)
        check_fields(
            self,
            steps=(1, 100_000),
            heads=(1, 64),
            rate=(1e-6, 10),
            shift_rate=(0.0, 10),
            colour_rate=(0.0, 10),
            style=weight,
            content=weight,
            identity=weight,
            density=weight,
            shape=weight,
            check_every=(1, 100_000),
            patience=(1, 1000),
            yaw=(0.0, 1.0),
            pitch=(0.0, 1.0),
            view_size=(16, 512),
            seed=(0, 2**31),
        )


@dataclass(frozen=True, eq=False)
class StyleStatistics:
    """Mean and deviation of every channel of some features, averaged over pictures.

    Attributes:
        of: (mean [c], deviation [c]) by feature map.
    """

    of: Mapping[str, tuple[Tensor, Tensor]]

    @classmethod
    def measured(cls, maps: Mapping[str, Tensor]) -> StyleStatistics:
        """Measure feature maps [b, c, h, w] by name."""
        found = {name: channel_statistics(values) for name, values in maps.items()}
        return cls({name: (mean.mean(0), spread.mean(0)) for name, (mean, spread) in found.items()})

    def distance(self, other: StyleStatistics) -> Tensor:
        """Return the squared distance [] to other statistics, in units of these, map by map."""
        total = []
        for name, (mean, spread) in self.of.items():
            its_mean, its_spread = other.of[name]
            scale = mean.square().mean() + spread.square().mean() + 1e-8
            error = (its_mean - mean).square().mean() + (its_spread - spread).square().mean()
            total.append(error / scale)
        return torch.stack(total).mean()


@dataclass(frozen=True, eq=False)
class LearnedStyle:
    """What the recipe returns.

    Attributes:
        learned: The `StyleNumbers`.
        report: Steps, distances before and after, as JSON values.
    """

    learned: Any
    report: dict[str, float | int | bool]


class FewShotRecipe:
    """Learns the factors of a style.

    Args:
        generator: Frozen; in evaluation mode.
        features: What style and content are measured by.
        identity: Features of people.
        settings: Steps and weights.
    """

    def __init__(
        self,
        generator: TriPlaneGenerator,
        features: FeatureMaps,
        identity: IdentityFeatures,
        settings: FewShotSettings,
    ) -> None:
        self.generator, self.settings = generator, settings
        self.features, self.identity = features, identity
        self.views = HeadViews(generator, ViewSettings(whole_size=settings.view_size))
        self.device = device_of(generator)

    def __call__(
        self,
        artworks: Tensor,
        progress: Progress | None = None,
        *,
        look: Callable[[Any], None] | None = None,
    ) -> LearnedStyle:
        """Learn the style of artworks [n, 3, s, s] in [-1, 1].

        From four on, every fifth artwork is held out, and the fit stops when the distance to
        them no longer falls; the best factors are kept. `look` is called with the best so far
        after every check.
        """
        settings, progress = self.settings, progress or no_progress
        rng = torch.Generator().manual_seed(settings.seed)
        held_out = artworks[::5] if len(artworks) >= 4 else artworks
        learned_from = artworks
        if len(artworks) >= 4:
            learned_from = artworks[[index for index in range(len(artworks)) if index % 5]]
        wanted, unseen = (self._statistics(pictures) for pictures in (learned_from, held_out))
        learned = self.start()
        optimiser = torch.optim.Adam(self.groups(learned), settings.rate, betas=(0.9, 0.99))
        first = best = self._distance_to(unseen, learned)
        kept, best_step, stale = self.copied(learned), 0, 0
        for step in range(settings.steps):
            progress(LEARNING, step, settings.steps)
            for group in optimiser.param_groups:
                group["lr"] = group["largest"] * _share_of_rate(step, settings.steps)
            loss = self._loss(wanted, learned, rng)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if (step + 1) % settings.check_every and step + 1 < settings.steps:
                continue
            distance = self._distance_to(unseen, learned)
            stale = 0 if distance < best else stale + 1
            if distance < best:
                best, kept, best_step = distance, self.copied(learned), step + 1
            if look is not None:
                look(kept)
            if stale >= settings.patience and step + 1 >= settings.steps / 2:
                break
        progress(LEARNING, settings.steps, settings.steps)
        report: dict[str, float | int | bool] = {
            "steps": step + 1,
            "best_step": best_step,
            "held_out": len(artworks) >= 4,
            "style_distance_before": round(first, 4),
            "style_distance": round(best, 4),
        }
        return LearnedStyle(kept, report)

    def start(self) -> Any:
        """Return what is learned, as it is before the first step."""
        return StyleNumbers.untouched(self.generator)

    def groups(self, learned: Any) -> list[dict[str, Any]]:
        """Return the optimiser's groups, each with its largest rate."""
        settings = self.settings
        colours = [] if learned.colours is None else list(learned.colours.parts().values())
        return [
            {"params": list(learned.factors.values()), "largest": settings.rate},
            {"params": list(learned.shifts.values()), "largest": settings.shift_rate},
            {"params": colours, "largest": settings.colour_rate},
        ]

    def copied(self, learned: Any) -> Any:
        """Return a copy of what is learned that nothing changes."""
        return learned.copied()

    def _loss(self, wanted: StyleStatistics, learned: Any, rng: torch.Generator) -> Tensor:
        """Return the loss [] of a few heads from random cameras."""
        settings = self.settings
        ws, camera = self._heads(rng)
        draw = self.views.draw(settings.heads, True, rng)
        with torch.no_grad():
            plain, plain_planes = self.rendered(ws, camera, draw)
            reference = self._maps(plain)
            person = self.identity.embed(plain)
        image, planes = self.rendered(ws, camera, draw, learned)
        maps = self._maps(image)
        style = wanted.distance(StyleStatistics.measured(maps))
        content = torch.stack(
            [
                (maps[name] - reference[name]).square().mean() / reference[name].square().mean()
                for name in list(maps)[-2:]
            ]
        ).mean()
        identity = 1 - (self.identity.embed(image) * person).sum(dim=1).mean()
        total = settings.style * style + settings.content * content + settings.identity * identity
        roughness, change = shape_terms(self.generator, planes, plain_planes, rng)
        return total + settings.density * roughness + settings.shape * change

    @torch.no_grad()
    def _distance_to(self, unseen: StyleStatistics, learned: Any) -> float:
        """Return the mean style distance of the same four heads to held-out artworks."""
        rng = torch.Generator().manual_seed(self.settings.seed + 1)
        total = 0.0
        rounds = max(1, 4 // self.settings.heads)
        for _ in range(rounds):
            ws, camera = self._heads(rng)
            draw = self.views.draw(self.settings.heads, True, rng)
            image, _ = self.rendered(ws, camera, draw, learned)
            total += float(unseen.distance(StyleStatistics.measured(self._maps(image))))
        return total / rounds

    def _heads(self, rng: torch.Generator) -> tuple[Tensor, Camera]:
        settings = self.settings
        drawn = torch.randint(
            _FIRST_TRAINING_SEED, _LARGEST_TRAINING_SEED, (settings.heads,), generator=rng
        )
        with torch.no_grad():
            codes = [self.generator.mapping(self.generator.latent(int(seed))) for seed in drawn]
        spans = ((-settings.yaw, settings.yaw), (-settings.pitch, settings.pitch))
        camera = random_views(settings.heads, *spans, rng)
        return torch.cat(codes), camera.to(self.device)

    def rendered(
        self, ws: Tensor, camera: Camera, draw: ViewDraw, learned: Any | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return pictures [b, 3, h, h] of heads in the style, or as they are, and their planes."""
        edits = None if learned is None else learned.edits(self.generator)
        colours = None if learned is None else learned.colours
        planes = self.generator.planes(ws, modulation="activations", edits=edits)
        image = self.views.rendered(planes, ws, camera, draw, edits=edits, colours=colours)
        return image, planes

    def _statistics(self, pictures: Tensor) -> StyleStatistics:
        with torch.no_grad():
            sized = fit_size(pictures.to(self.device), self.views.whole_side)
            return StyleStatistics.measured(self._maps(sized))

    def _maps(self, image: Tensor) -> dict[str, Tensor]:
        return {_PIXELS: image, **self.features(image)}


def _share_of_rate(step: int, steps: int) -> float:
    """Return the share of the rate at a step: ten steps of warming up, then half a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / 10) * (0.98 * cosine + 0.02)
