"""Learns a custom edit: prompt tokens and residual weights of the plane branch, from few pairs.

What sees the photo stays frozen, so its features are computed once; so are the teacher's planes, of
the base on the edited picture. A step is the plane branch and one rendered view.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from triptych.camera import Camera
from triptych.config import check_fields
from triptych.metrics.perceptual import PerceptualDistance
from triptych.ops.placement import device_of
from triptych.ops.resize import resize_bilinear
from triptych.progress import Progress, no_progress
from triptych.systems.edit.adaptation.pairs import Pair
from triptych.systems.edit.encoder import PhotoFeatures, TriplaneEncoder
from triptych.systems.edit.network import PortraitEncoder
from triptych.systems.edit.preprocessing import reference_input
from triptych.systems.edit.residual_weights import ResidualWeights
from triptych.systems.edit.style import EditModel, EditStyle, rounded

LEARNING = "learning the edit"
_BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class AdaptationSettings:
    """What decides a custom edit beside its pairs.

    Attributes:
        seconds: Wall-clock limit of the learning.
        steps: Most steps.
        rank: Rank of the residual weights.
        rate: Adam's largest rate, of residual weights and tokens.
        size: Side of compared views in rays.
        planes: Weight of the L1 to the teacher's planes, in units of their spread.
        picture: Weight of the L1 to the edited picture, from its camera, or to the teacher's view.
        perceptual: Weight of their perceptual distance.
        yaw, pitch: Range of the random second view, radians, in which the teacher is the target.
        check_every: Steps between looks at the held-out pair.
        patience: The learning stops after so many looks without an improvement.
        seed: Of views and first weights.
    """

    seconds: float = 60.0
    steps: int = 2000
    rank: int = 4
    rate: float = 3e-3
    size: int = 32
    planes: float = 0.2
    picture: float = 1.0
    perceptual: float = 0.3
    yaw: float = 0.6
    pitch: float = 0.25
    check_every: int = 10
    patience: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        weight = (0.0, 1e6)
        check_fields(
            self,
            seconds=(0.0, 1e6),
            steps=(1, 1_000_000),
            rank=(1, 64),
            rate=(1e-7, 1.0),
            size=(16, 512),
            planes=weight,
            picture=weight,
            perceptual=weight,
            yaw=(0.0, 1.5),
            pitch=(0.0, 1.0),
            check_every=(1, 1_000_000),
            patience=(1, 1_000_000),
            seed=(0, 2**31),
        )


@dataclass(frozen=True, eq=False)
class LearnedEdit:
    """What the learning returns.

    Attributes:
        style: The best edit, by the held-out pair.
        snapshots: The edit as it was after so many seconds, by their number.
        report: Steps and distances, as JSON values.
    """

    style: EditStyle
    snapshots: dict[float, EditStyle]
    report: dict[str, float | int | bool]


@dataclass(frozen=True, eq=False)
class _Known:
    """A pair with what does not change while an edit is learned."""

    pair: Pair
    features: PhotoFeatures
    teacher: Tensor


class EditLearner:
    """Learns edits over one frozen network.

    Args:
        network: Edits photos and knows the unedited head.
        model: Its name and hash.
        settings: Steps and weights.
        perceptual: Compares pictures; unused at weight 0.
        clock: Seconds since any moment.

    Raises:
        UserError: The network does not keep its base, which is the teacher.
    """

    def __init__(
        self,
        network: PortraitEncoder,
        model: EditModel,
        settings: AdaptationSettings,
        perceptual: PerceptualDistance | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.network, self.model, self.settings = network, model, settings
        self.perceptual, self.clock = perceptual, clock
        self.encoder: TriplaneEncoder = network.encoder
        self.device = device_of(network)

    def __call__(
        self,
        pairs: Sequence[Pair],
        *,
        snapshots: Sequence[float] = (),
        progress: Progress = no_progress,
    ) -> LearnedEdit:
        """Learn an edit of 1 to 10 pairs; from two on, the last one is held out.

        Args:
            pairs: Pictures before and after.
            snapshots: Seconds after which the edit is kept as it is then.
            progress: Called with (stage, done, total), in seconds.
        """
        settings, started = self.settings, self.clock()
        known = [self._known(pair) for pair in pairs]
        learned_from = known[:-1] or known
        held_out = known[-1]
        rng = torch.Generator().manual_seed(settings.seed)
        residuals = ResidualWeights.untouched(self.encoder.Final_encoder, settings.rank, rng)
        tokens = self._first_tokens(pairs)
        learned = [tokens, *residuals.tensors().values()]
        for tensor in learned:
            tensor.requires_grad_(True)
        optimiser = torch.optim.Adam(learned, settings.rate, betas=_BETAS)
        first = best = self._distance(held_out, tokens, residuals)
        kept, best_step, stale, step = self._style(tokens, residuals), 0, 0, 0
        seen: dict[float, EditStyle] = {}
        total = max(1, round(settings.seconds))
        while step < settings.steps:
            spent = self.clock() - started
            seen |= {
                mark: self._style(tokens, residuals)
                for mark in snapshots
                if mark <= spent and mark not in seen
            }
            if spent >= settings.seconds:
                break
            progress(LEARNING, min(total, int(spent)), total)
            chosen = learned_from[int(torch.randint(len(learned_from), (), generator=rng))]
            loss = self._loss(chosen, tokens, residuals, self._view(chosen.pair, rng), rng)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            if step % settings.check_every:
                continue
            distance = self._distance(held_out, tokens, residuals)
            stale = 0 if distance < best else stale + 1
            if distance < best:
                best, best_step, kept = distance, step, self._style(tokens, residuals)
            if stale >= settings.patience:
                break
        progress(LEARNING, total, total)
        report: dict[str, float | int | bool] = {
            "pairs": len(pairs),
            "held_out": len(pairs) > 1,
            "steps": step,
            "best_step": best_step,
            "distance_before": round(first, 4),
            "distance": round(best, 4),
            "seconds": round(self.clock() - started, 2),
        }
        final = replace(kept, provenance={"report": report})
        return LearnedEdit(final, {mark: seen.get(mark, kept) for mark in snapshots}, report)

    @torch.no_grad()
    def _known(self, pair: Pair) -> _Known:
        features = self.encoder.photo_features(pair.before)
        teacher = self.encoder.unedited_planes(self.encoder.photo_features(pair.after))
        return _Known(pair, features, teacher)

    @torch.no_grad()
    def _first_tokens(self, pairs: Sequence[Pair]) -> Tensor:
        """Return the mean tokens [1, k, d] of the edited pictures as references."""
        config = self.network.config.encoder.prompt
        assert config is not None
        pictures = torch.cat([pair.after for pair in pairs])
        tokens = self.encoder.reference_tokens(reference_input(pictures, config))
        return tokens.mean(0, keepdim=True).clone()

    def _planes(self, known: _Known, tokens: Tensor, residuals: ResidualWeights) -> Tensor:
        """Return planes of the learned edit, with gradients for it."""
        encoder, features = self.encoder, known.features
        assert encoder.Ref_encoder is not None
        assert features.queries is not None
        branch = encoder.Final_encoder
        high = encoder.Ref_encoder(features.queries, tokens)
        changed = residuals.parameters_of(branch)
        return encoder.placed(functional_call(branch, changed, (high, features.low)))

    def _view(self, pair: Pair, rng: torch.Generator) -> Camera | None:
        """Draw a view: half of them from the picture's own camera, as None."""
        settings = self.settings
        uniform = torch.rand(3, generator=rng, dtype=torch.float64)
        if pair.camera is not None and uniform[0] < 0.5:
            return None
        yaw, pitch = ((2 * uniform[1:] - 1) * torch.tensor([settings.yaw, settings.pitch])).tolist()
        return self.network.config.rendering.view.camera(yaw, pitch)

    def _loss(
        self,
        known: _Known,
        tokens: Tensor,
        residuals: ResidualWeights,
        view: Camera | None,
        rng: torch.Generator | None,
    ) -> Tensor:
        settings = self.settings
        planes = self._planes(known, tokens, residuals)
        away = (planes - known.teacher).abs()
        if self.encoder.config.whitened:
            away = away / self.encoder.plane_std
        terms = [settings.planes * away.mean()]
        pred, target = self._pictures(known, planes, view, rng)
        terms.append(settings.picture * functional.l1_loss(pred, target))
        if self.perceptual is not None and settings.perceptual:
            terms.append(settings.perceptual * self.perceptual(pred, target).mean())
        return torch.stack(terms).sum()

    def _pictures(
        self, known: _Known, planes: Tensor, view: Camera | None, rng: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Return the student's picture and its target [1, 3, r, r]; both have the same jitter."""
        size = self.settings.size
        camera = known.pair.camera if view is None else view
        assert camera is not None
        camera = camera.to(self.device)
        state = None if rng is None else int(torch.randint(2**31, (), generator=rng))

        def jitter() -> torch.Generator | None:
            return None if state is None else torch.Generator().manual_seed(state)

        network = self.network
        pred = network.render(planes, camera, render_size=size, generator=jitter()).image_raw
        if view is None:
            return pred, resize_bilinear(known.pair.after, size, antialias=True)
        with torch.no_grad():
            shown = network.render(known.teacher, camera, render_size=size, generator=jitter())
        return pred, shown.image_raw

    @torch.no_grad()
    def _distance(self, known: _Known, tokens: Tensor, residuals: ResidualWeights) -> float:
        """Return the loss of a pair without chance: from its camera, or from the front."""
        view = self.network.config.rendering.view
        front = None if known.pair.camera is not None else view.camera()
        return float(self._loss(known, tokens, residuals, front, None))

    def _style(self, tokens: Tensor, residuals: ResidualWeights) -> EditStyle:
        tokens, residuals = rounded(tokens, residuals)
        return EditStyle(self.model, tokens, residuals)
