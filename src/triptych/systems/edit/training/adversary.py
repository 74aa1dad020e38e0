"""The conditional dual discriminator that both published stages train against."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.nn.discriminator import DualDiscriminator
from triptych.training.adversarial_losses import (
    fooling_loss,
    gradient_penalties,
    real_scores_loss,
)

RATE = 1e-5
BETAS = (0.5, 0.999)


def adversarial_terms(
    discriminator: DualDiscriminator,
    made: tuple[Tensor, Tensor],
    real: tuple[Tensor, Tensor],
    camera: Camera,
    r1: float,
) -> tuple[Tensor, Tensor]:
    """Return the student's loss [] and the discriminator's [], to be descended in one step.

    Each reaches its own network only. The published code lets the discriminator take its step
    first and shows the student the new one.

    Args:
        discriminator: Sees a picture, what belongs to it, and the camera.
        made: The student's pictures [b, 3, h, h], and the raw ones or the references.
        real: The same of real pictures.
        camera: b cameras.
        r1: Weight of the gradient penalty on both inputs, over two.
    """
    label = camera.label25()
    discriminator.requires_grad_(False)
    fooling = fooling_loss(discriminator(*made, label))
    discriminator.requires_grad_(True)
    shown = [picture.detach().requires_grad_(True) for picture in real]
    scores = discriminator(*shown, label)
    unmasked = discriminator(*(picture.detach() for picture in made), label)
    penalty = torch.stack(gradient_penalties(scores, shown)).sum()
    return fooling, real_scores_loss(scores, unmasked) + r1 / 2 * penalty
