"""What both published stages share: a student's planes and renders against a teacher's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.metrics.metric_networks import MetricNetworks, find_metric_networks
from triptych.render.renderer import Draws, RenderConfig
from triptych.render.rendering import Rendering
from triptych.systems.edit.losses import DistillationWeights, view_terms
from triptych.systems.edit.training.cameras import repeated

Renderer = Callable[..., Rendering]
"""Renders cameras with `draws=`, as `PortraitEncoder.render` does for planes that are given."""


@dataclass(frozen=True, eq=False)
class Head:
    """Heads of a student or of its teacher.

    Attributes:
        planes: Planes [b, 3, c, h, w].
        render: Shows them.
    """

    planes: Tensor
    render: Renderer


def sample_draws(seeds: Tensor, num_rays: int, config: RenderConfig) -> Draws:
    """Return the jitter of pictures, each by its own seed, so that a batch may be split.

    Args:
        seeds: One of each picture [b].
        num_rays: Rays of a picture.
        config: Samples of a ray.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
    return Draws(
        torch.cat([torch.rand(1, num_rays, config.num_coarse, generator=g) for g in generators]),
        torch.cat([torch.rand(1, num_rays, config.num_fine, generator=g) for g in generators]),
    )


def distilled(
    student: Head,
    teacher: Head,
    cameras: tuple[Camera, Camera],
    seeds: Tensor,
    sampling: tuple[int, RenderConfig],
    weights: DistillationWeights,
    networks: MetricNetworks,
) -> tuple[dict[str, Tensor], Rendering, Rendering]:
    """Compare planes, and renders from the data's cameras and from one at random.

    Args:
        student: The student's heads.
        teacher: The same heads of the teacher.
        cameras: The data's, b; and one for all.
        seeds: Of each picture's jitter [b].
        sampling: Rays of a picture, and how they are sampled.
        weights: Which terms are needed.
        networks: Perceptual distance and identity.

    Returns:
        The terms, those of both views added; the student's and the teacher's renders from the
        data's cameras.
    """
    device = student.planes.device
    identity = networks.identity if weights.identity else None
    terms: dict[str, Tensor] = {}
    if weights.planes:
        terms["planes"] = (student.planes - teacher.planes).abs().mean()
    kept: list[Rendering] = []
    for number, camera in enumerate(cameras):
        draws = sample_draws(seeds + number, *sampling)
        moved: Any = Draws(draws.coarse.to(device), draws.fine.to(device))
        seen = camera if len(camera) == len(seeds) else repeated(camera, len(seeds))
        seen = seen.to(device)
        with torch.no_grad():
            target = teacher.render(seen, draws=moved)
        pred = student.render(seen, draws=moved)
        for name, term in view_terms(pred, target, weights, networks.perceptual, identity).items():
            terms[name] = terms[name] + term if name in terms else term
        kept += [pred, target] if not kept else []
    return terms, kept[0], kept[1]


def metric_networks(device: str, origin: Any, features: str) -> MetricNetworks:
    """Return perceptual distance and identity, published where their files are, on a device."""
    found = find_metric_networks(origin, embedded_perceptual=features)
    found.perceptual.to(device)  # type: ignore[attr-defined]  # a network
    found.identity.to(device)  # type: ignore[attr-defined]  # a network
    return found


def share_of(values: Tensor, process: int, num_processes: int) -> Tensor:
    """Return a process's share of a global batch [b], of equal length for all."""
    return values[process::num_processes]
