"""Pivotal tuning: the generator is fitted to one picture while its style codes stay (PTI)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.progress import CountProgress
from triptych.render.empty_space import EmptySpace
from triptych.systems.invert.losses import InversionWeights
from triptych.systems.invert.refinement.objective import InversionObjective
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.invert.target import InversionTarget


def tune_generator(
    generator: TriPlaneGenerator,
    target: InversionTarget,
    ws: Tensor,
    networks: MetricNetworks,
    settings: InvertSettings,
    *,
    step_done: CountProgress,
) -> TriPlaneGenerator:
    """Return a copy of the generator that shows the picture at the given style codes.

    Args:
        generator: Left as it is.
        target: The picture.
        ws: Style codes [1, k, d], the pivot.
        networks: The perceptual distance is used.
        settings: `tuning` and how views are drawn.
        step_done: Called after each step.

    Reference:
        Roich et al. (2021), Eq. 2; all parameters are tuned that the pivot's picture depends on.
    """
    tuning = settings.tuning
    tuned = copy.deepcopy(generator).requires_grad_(True)
    tuned.backbone.mapping.requires_grad_(False)
    scale = settings.mirror_weight
    weights = InversionWeights(
        l2=tuning.l2,
        identity=0.0,
        perceptual=tuning.perceptual,
        second_l2=scale * tuning.l2,
        second_identity=0.0,
        second_perceptual=scale * tuning.perceptual,
    )
    objective = InversionObjective(
        tuned,
        target,
        networks,
        weights,
        views=settings.views,
        mirror=settings.compares_mirror_image,
        whole_every=settings.whole_every,
    )
    empty_space = _empty_space(generator, ws, settings)
    view_draws, point_draws = (torch.Generator().manual_seed(settings.seed) for _ in range(2))
    parameters = [weight for weight in tuned.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=tuning.learning_rate)
    for step in range(tuning.steps):
        with torch.enable_grad():
            planes = tuned.planes(ws, modulation="activations").float()
            loss, terms = objective(planes, ws, step, view_draws)
            if empty_space is not None:
                empty_space_loss = empty_space.empty_space_loss(
                    tuned.field(planes), tuning.empty_points, point_draws
                )
                loss = loss + tuning.empty_weight * empty_space_loss
        # PTI too compares before it makes a step.
        if objective.is_whole(step) and float(terms["perceptual"].detach()) <= tuning.stop_below:
            break
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step_done(step + 1, tuning.steps)
    return tuned.requires_grad_(False)


def _empty_space(
    generator: TriPlaneGenerator, ws: Tensor, settings: InvertSettings
) -> EmptySpace | None:
    """Return the space far from the pivot's head; None without `empty_weight` or such space."""
    tuning = settings.tuning
    if tuning.empty_weight == 0:
        return None
    with torch.no_grad():
        grid = generator.occupancy(generator.planes(ws))
    return EmptySpace.round_head(grid, generator.config.rendering, tuning.empty_margin)
