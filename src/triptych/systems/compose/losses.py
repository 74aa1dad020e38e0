"""The losses of both published training stages."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.systems.compose.region_field import RegionField

SURFACE_STEEPNESS = 100.0
INITIAL_RADIUS_SHARE = 0.5


def view_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Return the smooth L1 distance of azimuth and elevation [b, 2], radians."""
    return F.smooth_l1_loss(pred, target)


def eikonal_gradient(field: RegionField, points: Tensor) -> Tensor:
    """Return the gradient [b, n, 3] of the residual distance at world points [b, n, 3].

    Published: the initial shape takes no part, so the term wants unit gradients of what the
    regions add to it, not of the distance that is rendered.
    """
    with torch.enable_grad():
        points = points.detach().requires_grad_(True)
        residual = field.residual_geometry(points)
        (gradient,) = torch.autograd.grad(residual.sum(), points, create_graph=True)
    return gradient


def eikonal_loss(gradient: Tensor) -> Tensor:
    """Return the mean of (|gradient| - 1)^2 of gradients [..., 3]."""
    return (gradient.norm(dim=-1) - 1).square().mean()


def minimal_surface_loss(distance: Tensor) -> Tensor:
    """Return the mean of exp(-100 |distance|): surfaces where no sample needs one cost.

    Args:
        distance: Signed distances in published units, camera distances [...].
    """
    return torch.exp(-SURFACE_STEEPNESS * distance.abs()).mean()


def sphere_target(points: Tensor, half_box: float) -> Tensor:
    """Return the distance [..., 1] of points [..., 3] to the sphere that training starts from.

    Its radius is half of `half_box`, in the unit of the points.
    """
    return points.norm(dim=-1, keepdim=True) - INITIAL_RADIUS_SHARE * half_box


def path_length(
    image: Tensor, codes: Tensor, mean: Tensor, noise: Tensor, decay: float = 0.01
) -> tuple[Tensor, Tensor]:
    """Return the path-length penalty and the new mean length.

    Args:
        image: Pictures [b, 3, h, w] made of the codes.
        codes: Style codes [b, k, d].
        mean: Mean length so far, [].
        noise: Normal numbers like the pictures.
        decay: Share of the new length in the mean.

    Reference: Karras et al., StyleGAN2 (2020), section 3.2.
    """
    scaled = noise / (image.shape[2] * image.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((image * scaled).sum(), codes, create_graph=True)
    lengths = gradient.square().sum(dim=2).mean(dim=1).sqrt()
    mean = mean + decay * (lengths.mean() - mean)
    return (lengths - mean).square().mean(), mean.detach()
