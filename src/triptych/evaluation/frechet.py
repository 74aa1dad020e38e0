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
    means = first.mean(axis=0) - second.mean(axis=0)
    root = _square_root(np.cov(first, rowvar=False))
    # The eigenvalues of A B are those of A^(1/2) B A^(1/2), which is symmetric.
    product = root @ np.cov(second, rowvar=False) @ root
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(product), 0, None)).sum()
    spread = first.var(axis=0, ddof=1).sum() + second.var(axis=0, ddof=1).sum()
    return float(means @ means + spread - 2 * shared)


@torch.no_grad()
def pooled_features(network: AvatarFeatures, image: Tensor) -> Tensor:
    """Return the mean over positions of the coarsest stage [b, c] of images [b, 3, s, s]."""
    *_, coarsest = network(fit_size(image, _SIZE)).values()
    return coarsest.mean(dim=(2, 3))


def _square_root(matrix: FloatArray) -> FloatArray:
    """Return the root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(np.atleast_2d(matrix))
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
