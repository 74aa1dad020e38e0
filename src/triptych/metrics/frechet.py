"""The Frechet distance of two sets of features (FID), and the networks whose features it compares.

The Inception weights are looked for beside the other published metric networks, under their
publisher's file name; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.errors import UserError
from triptych.files import sha256_of
from triptych.metrics.metric_networks import metric_networks_folder
from triptych.nn.feature_network import WHOLE_HEAD_SIZE, AvatarFeatures
from triptych.nn.inception import InceptionFeatures
from triptych.ops.resize import fit_size

FloatArray = NDArray[np.float64]

INCEPTION_FILE = "pt_inception-2015-12-05-6726825d.pth"
"""Name of the pytorch-fid project: TensorFlow's Inception v3 of 2015 under torchvision's names."""

INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of the published file."""

_UNNEEDED = ("fc.", "AuxLogits.")
_COUNTER = "num_batches_tracked"


def frechet_distance(first: FloatArray, second: FloatArray) -> float:
    """Return the squared distance of the normal distributions fitted to two sets of features.

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
    *_, coarsest = network(fit_size(image, WHOLE_HEAD_SIZE)).values()
    return coarsest.mean(dim=(2, 3))


def _covariance_root(features: FloatArray) -> FloatArray:
    """Return X [min(n, d), d] with X'X the covariance of features [n, d]."""
    count, width = features.shape
    deviations: FloatArray = (features - features.mean(axis=0)) / np.sqrt(count - 1)
    if count <= width:
        return deviations
    _, root = np.linalg.qr(deviations)
    return root


@dataclass(frozen=True)
class PublishedInception:
    """Inception v3 from a file.

    Attributes:
        network: Frozen; images [b, 3, h, w] in [-1, 1] to features [b, 2048].
        sha256: Hash of the file.
    """

    network: InceptionFeatures
    sha256: str

    @property
    def used(self) -> str:
        """Description for a report."""
        name = f"Inception v3 ({INCEPTION_FILE}, SHA-256 {self.sha256[:8]})"
        if self.sha256 == INCEPTION_SHA256:
            return name
        return f"{name}, not the published file: no FID of others compares with it"


def find_inception(folder: str | Path | None = None) -> PublishedInception | None:
    """Return the network if its file is there.

    Args:
        folder: Where the file is; `networks` in the cache folder by default.

    Raises:
        UserError: The file is there but broken, or holds another network.
    """
    path = metric_networks_folder(folder) / INCEPTION_FILE
    if not path.is_file():
        return None
    from triptych.weights import read_tensors

    return PublishedInception(inception_of(read_tensors(path), str(path)), sha256_of(path))


def inception_of(state: Mapping[str, Tensor], source: str = "the file") -> InceptionFeatures:
    """Return FID's network, frozen, with weights named as in torchvision's Inception3.

    Args:
        state: Tensors by name. The classifier `fc` and the auxiliary head `AuxLogits` may be among
            them and are left out.
        source: Origin of the tensors, for the message.

    Raises:
        TensorsDoNotFit: A tensor is missing, has another shape, or belongs to another network.
    """
    from triptych.weights.tensor_fit import check_fit

    network = InceptionFeatures("fid")
    # Counters of training steps say nothing about the network; old files lack them.
    own = {n: tensor for n, tensor in network.state_dict().items() if not n.endswith(_COUNTER)}
    given = {
        name: tensor
        for name, tensor in state.items()
        if not name.startswith(_UNNEEDED) and not name.endswith(_COUNTER)
    }
    check_fit(
        {name: tensor.shape for name, tensor in own.items()},
        {name: tensor.shape for name, tensor in given.items()},
        network="published Inception v3",
        source=source,
    )
    for name, tensor in own.items():
        tensor.copy_(given[name])
    return network.requires_grad_(False).eval()
