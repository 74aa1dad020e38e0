"""Distance of two clouds of features, as if both were normally distributed (FID)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.errors import UserError
from triptych.nn.feature_network import AvatarFeatures
from triptych.ops.fit_size import fit_size

_SIZE = 128
FloatArray = NDArray[np.float64]


def frechet_distance(first: FloatArray, second: FloatArray) -> float:
    """Return the squared distance of the normal distributions of two sets of features.

    Args:
        first: Features [n, d], n at least 2.
        second: Features [m, d].

    Raises:
        UserError: There are fewer than two of either.

    Reference: Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017), Eq. 6.
    """
    if min(len(first), len(second)) < 2:
        raise UserError("a Frechet distance needs two pictures or more on each side")
    shift = first.mean(axis=0) - second.mean(axis=0)
    roots = _covariance_root(first), _covariance_root(second)
    spread = sum(np.square(root).sum() for root in roots)
    # With covariances A = X'X and B = Y'Y, the roots of the eigenvalues of A B are the singular
    # values of X Y': a small matrix where there are fewer pictures than features.
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(shift @ shift + spread - 2 * shared)


@torch.no_grad()
def pooled_features(network: AvatarFeatures, image: Tensor) -> Tensor:
    """Return the mean over positions of the coarsest stage [b, c] of images [b, 3, s, s]."""
    *_, coarsest = network(fit_size(image, _SIZE)).values()
    return coarsest.mean(dim=(2, 3))


def _covariance_root(features: FloatArray) -> FloatArray:
    """Return X [min(n, d), d] with X'X the covariance of features [n, d]."""
    count, width = features.shape
    deviations: FloatArray = (features - features.mean(axis=0)) / np.sqrt(count - 1)
    if count <= width:
        return deviations
    _, root = np.linalg.qr(deviations)
    return root
