"""The few-shot recipe: factors of a generator's styles are learned from a few artworks.

PStyle-3D's idea on a small budget: style factors are learned from 1, and shifts of the biases from
0, so that the first step is the unstyled head; no discriminator, which a handful of pictures
cannot feed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera, random_views
from triptych.config import check_fields
from triptych.metrics.identity import IdentityFeatures
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.styled_layers import StyledLayer, styled_layers
from triptych.nn.synthesis_layers import Edits, LayerEdit
from triptych.ops.placement import device_of
from triptych.ops.resize import fit_size
from triptych.progress import Progress, no_progress
from triptych.systems.adapt.losses import DENSITY_NOISE, channel_statistics, density_loss
from triptych.training.head_views import HeadViews, ViewDraw, ViewSettings

LEARNING = "learning the style"
FeatureMaps = Callable[[Tensor], Mapping[str, Tensor]]
"""Features of pictures by name, finest first."""

Learned = Mapping[str, tuple[Tensor, Tensor]]
"""Factors [i] and shifts [o] of each styled layer, by its name."""

_LARGEST_TRAINING_SEED = 90_000
_FIRST_TRAINING_SEED = 1_000
_PIXELS = "pixels"
_POINTS, _CELLS = 2000, 64


@dataclass(frozen=True)
class FewShotSettings:
    """What decides a style beside the artworks.

    Attributes:
        steps: Most steps.
        heads: Heads per step, of seeds that are never shown.
        rate: Adam's largest rate, of the factors.
        shift_rate: The same, of the shifts.
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
        factors: Factors [i] of each styled layer by name; see `portrait.style_pack`.
        shifts: Shifts [o] of each one's bias.
        report: Steps, distances before and after, as JSON values.
    """

    factors: dict[str, Tensor]
    shifts: dict[str, Tensor]
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
        self.places: list[StyledLayer] = list(styled_layers(generator))
        self.device = device_of(generator)

    def __call__(self, artworks: Tensor, progress: Progress | None = None) -> LearnedStyle:
        """Learn the style of artworks [n, 3, s, s] in [-1, 1].

        From four on, every fifth artwork is held out, and the fit stops when the distance to
        them no longer falls; the best factors are kept.
        """
        settings, progress = self.settings, progress or no_progress
        rng = torch.Generator().manual_seed(settings.seed)
        held_out = artworks[::5] if len(artworks) >= 4 else artworks
        learned_from = artworks
        if len(artworks) >= 4:
            learned_from = artworks[[index for index in range(len(artworks)) if index % 5]]
        wanted, unseen = (self._statistics(pictures) for pictures in (learned_from, held_out))
        learned = {place.name: self._untouched(place) for place in self.places}
        factors, shifts = ([both[part] for both in learned.values()] for part in (0, 1))
        groups = [
            {"params": factors, "largest": settings.rate},
            {"params": shifts, "largest": settings.shift_rate},
        ]
        optimiser = torch.optim.Adam(groups, settings.rate, betas=(0.9, 0.99))
        first = best = self._distance_to(unseen, learned)
        kept, best_step, stale = copied(learned), 0, 0
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
                best, kept, best_step = distance, copied(learned), step + 1
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
        return LearnedStyle(
            {name: factor for name, (factor, _) in kept.items()},
            {name: shift for name, (_, shift) in kept.items()},
            report,
        )

    def _untouched(self, place: StyledLayer) -> tuple[Tensor, Tensor]:
        """Return factors of one and shifts of zero, to be learned."""
        num_in, num_out = place.layer.affine.weight.shape[0], place.layer.bias.shape[0]
        factor = torch.ones(num_in, device=self.device, requires_grad=True)
        return factor, torch.zeros(num_out, device=self.device, requires_grad=True)

    def _edits(self, learned: Learned) -> Edits:
        return {
            place.layer: LayerEdit(learned[place.name][0][None], learned[place.name][1])
            for place in self.places
        }

    def _loss(self, wanted: StyleStatistics, learned: Learned, rng: torch.Generator) -> Tensor:
        """Return the loss [] of a few heads from random cameras."""
        settings = self.settings
        ws, camera = self._heads(rng)
        draw = self.views.draw(settings.heads, True, rng)
        with torch.no_grad():
            plain, plain_planes = self._rendered(ws, camera, draw, None)
            reference = self._maps(plain)
            person = self.identity.embed(plain)
        image, planes = self._rendered(ws, camera, draw, self._edits(learned))
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
        roughness, change = self._densities(planes, plain_planes, rng)
        return total + settings.density * roughness + settings.shape * change

    def _densities(
        self, planes: Tensor, plain: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return how much densities differ between near points, and from the unstyled head."""
        half = self.generator.config.box_size / 2
        points = (torch.rand(len(planes), _POINTS, 3, generator=rng) * 2 - 1) * half
        near = points + DENSITY_NOISE * torch.randn(points.shape, generator=rng)
        both = torch.cat([points, near], dim=1).to(planes)
        densities = self.generator.field(planes).geometry(both)
        with torch.no_grad():
            own = self._opacity(self.generator.field(plain).geometry(both))
        change = (self._opacity(densities) - own).abs().mean() / own.mean().clamp_min(1e-3)
        return density_loss(densities), change

    def _opacity(self, raw: Tensor) -> Tensor:
        """Return the opacity of a cell of the box with raw densities, 0..1."""
        config = self.generator.config
        thickness = config.rendering.density_gain * config.box_size / _CELLS
        return 1 - torch.exp(-functional.softplus(raw - 1) * thickness)

    @torch.no_grad()
    def _distance_to(self, unseen: StyleStatistics, learned: Learned) -> float:
        """Return the mean style distance of the same four heads to held-out artworks."""
        rng = torch.Generator().manual_seed(self.settings.seed + 1)
        total = 0.0
        rounds = max(1, 4 // self.settings.heads)
        for _ in range(rounds):
            ws, camera = self._heads(rng)
            draw = self.views.draw(self.settings.heads, True, rng)
            image, _ = self._rendered(ws, camera, draw, self._edits(learned))
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

    def _rendered(
        self, ws: Tensor, camera: Camera, draw: ViewDraw, edits: Edits | None
    ) -> tuple[Tensor, Tensor]:
        planes = self.generator.planes(ws, modulation="activations", edits=edits)
        return self.views.rendered(planes, ws, camera, draw, edits=edits), planes

    def _statistics(self, pictures: Tensor) -> StyleStatistics:
        with torch.no_grad():
            sized = fit_size(pictures.to(self.device), self.views.whole_side)
            return StyleStatistics.measured(self._maps(sized))

    def _maps(self, image: Tensor) -> dict[str, Tensor]:
        return {_PIXELS: image, **self.features(image)}


def copied(learned: Learned) -> dict[str, tuple[Tensor, Tensor]]:
    """Return a copy of what is learned, on the CPU, that nothing changes."""
    return {
        name: (factor.detach().cpu().clone(), shift.detach().cpu().clone())
        for name, (factor, shift) in learned.items()
    }


def _share_of_rate(step: int, steps: int) -> float:
    """Return the share of the rate at a step: ten steps of warming up, then half a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / 10) * (0.98 * cosine + 0.02)
