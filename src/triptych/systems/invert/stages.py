"""What each stage of an inversion made, and how near it is to the picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from triptych.metrics.identity import identity_similarity
from triptych.metrics.image_metrics import psnr_from_mse
from triptych.metrics.metric_networks import MetricNetworks
from triptych.ops.resize import fit_size
from triptych.portrait import TriPlanePortrait
from triptych.systems.invert.target import InversionTarget


@dataclass(frozen=True)
class Distances:
    """How near a picture is to another.

    Attributes:
        l2: Mean squared difference in [-1, 1].
        psnr: Signal-to-noise ratio in dB.
        perceptual: Perceptual distance.
        identity: Cosine between the identity features.
    """

    l2: float
    psnr: float
    perceptual: float
    identity: float


@dataclass(frozen=True, eq=False)
class InversionStage:
    """One stage.

    Attributes:
        name: "mean", "step 1" ..., "camera", "latent", "w", "w+" or "pti".
        portrait: The head so far.
        image: Its picture [1, 3, s, s] from the camera of the target.
        distances: How near that is to the target.
        seconds: What the stage took, without the look that measures it.
    """

    name: str
    portrait: TriPlanePortrait
    image: Tensor
    distances: Distances
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return name, distances and time as JSON values."""
        measured = {name: round(value, 4) for name, value in asdict(self.distances).items()}
        return {"stage": self.name, **measured, "seconds": round(self.seconds, 2)}


@torch.no_grad()
def stage_of(
    name: str,
    portrait: TriPlanePortrait,
    target: InversionTarget,
    networks: MetricNetworks,
    seconds: float,
) -> InversionStage:
    """Look at a portrait from the target's camera and measure."""
    image = fit_size(portrait.render(target.camera).image, target.image.shape[-1]).clamp(-1, 1)
    return InversionStage(name, portrait, image, distances(image, target.image, networks), seconds)


@torch.no_grad()
def distances(pred: Tensor, true: Tensor, networks: MetricNetworks) -> Distances:
    """Return how near one picture [1, 3, s, s] is to another."""
    error = (pred - true).square().mean()
    return Distances(
        l2=float(error),
        psnr=float(psnr_from_mse(error)),
        perceptual=float(networks.perceptual(pred, true).mean()),
        identity=float(identity_similarity(networks.identity, pred, true).mean()),
    )
