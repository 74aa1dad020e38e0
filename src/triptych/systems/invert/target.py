"""The target of an inversion, and how near the portrait of each stage comes to it."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.metrics.identity import identity_similarity
from triptych.metrics.image_metrics import psnr_from_mse
from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.fast_synthesis import synthesize_planes
from triptych.ops.resize import fit_size
from triptych.photos.aligned_photo import AlignedPhoto, check_aligned
from triptych.photos.mirror_uncertainty import mirror_uncertainty, mirrored_and_upsampled
from triptych.portrait import TriPlanePortrait


@dataclass(frozen=True, eq=False)
class InversionTarget:
    """A picture of one head.

    Attributes:
        image: The picture [1, 3, s, s] in [-1, 1], s the generator's image size.
        camera: Its camera, one view.
        uncertainty: Of the mirrored picture [1, s, s], at the mirrored picture's own places; None
            weighs all of it alike.
    """

    image: Tensor
    camera: Camera
    uncertainty: Tensor | None = None

    def to(self, device: torch.device | str) -> InversionTarget:
        """Return the target on another device."""
        uncertainty = None if self.uncertainty is None else self.uncertainty.to(device)
        return InversionTarget(self.image.to(device), self.camera.to(device), uncertainty)

    @property
    def mirrored(self) -> Tensor:
        """The mirrored picture [1, 3, s, s]; its camera is the mirrored one."""
        return self.image.flip(-1)


def target_of(
    image: Tensor, camera: Camera, size: int, uncertainty: Tensor | None = None
) -> InversionTarget:
    """Bring an aligned picture to a generator's size.

    Args:
        image: Square picture [1, 3, h, h] in [-1, 1].
        camera: Its camera.
        size: The generator's image size.
        uncertainty: Of the mirrored picture [size, size].

    Raises:
        UserError: It is not one square picture in [-1, 1] with one camera.
    """
    check_aligned(image, camera)
    return InversionTarget(
        fit_size(image, size), camera, None if uncertainty is None else uncertainty[None].to(image)
    )


def target_of_photo(aligned: AlignedPhoto, size: int) -> InversionTarget:
    """Return the target of an aligned photo, with its mirror image's uncertainty by landmarks."""
    uncertainty = mirror_uncertainty(aligned.image, aligned.landmarks, aligned.face.pairs)
    mirrored = torch.from_numpy(mirrored_and_upsampled(uncertainty, size))
    return target_of(aligned.image, aligned.camera, size, mirrored)


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
        seconds: What the stage took, without the render that measures it.
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
def with_codes(
    portrait: TriPlanePortrait, generator: TriPlaneGenerator, ws: Tensor
) -> TriPlanePortrait:
    """Return the portrait of other style codes of the same frozen generator.

    Decoder and super-resolution head are shared with the given portrait, not copied again.

    Args:
        portrait: Of the generator.
        generator: Synthesizes the planes.
        ws: Style codes [1, k, d].
    """
    return dataclasses.replace(portrait, planes=synthesize_planes(generator, ws, "fast"), ws=ws)


@torch.no_grad()
def stage_of(
    name: str,
    portrait: TriPlanePortrait,
    target: InversionTarget,
    networks: MetricNetworks,
    seconds: float,
) -> InversionStage:
    """Render a portrait from the target's camera and measure."""
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
