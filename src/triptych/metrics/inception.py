"""The network that FID is defined by, from the weight file that the user has.

The file is looked for beside those of the other published judges, under its publisher's name;
nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from triptych.files import sha256_of
from triptych.metrics.metric_networks import metric_networks_folder
from triptych.nn.inception import InceptionFeatures

INCEPTION_FILE = "pt_inception-2015-12-05-6726825d.pth"
"""Name of the pytorch-fid project: TensorFlow's Inception v3 of 2015 under torchvision's names."""

INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of the published file."""

_UNNEEDED = ("fc.", "AuxLogits.")
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class PublishedInception:
    """Inception v3 from a file.

    Attributes:
        network: Frozen; pictures [b, 3, h, w] in [-1, 1] to features [b, 2048].
        sha256: Of the file.
    """

    network: InceptionFeatures
    sha256: str

    @property
    def used(self) -> str:
        """What it is, in words for a report."""
        name = f"Inception v3 ({INCEPTION_FILE}, SHA-256 {self.sha256[:8]})"
        if self.sha256 == INCEPTION_SHA256:
            return name
        return f"{name}, not the published file: no FID of others compares with it"


def find_inception(folder: str | Path | None = None) -> PublishedInception | None:
    """Return the network if its file is there.

    Args:
        folder: Where the file is; `networks` in the cache folder by default.

    Raises:
        UserError: The file is there but broken, or not what it should be.
    """
    path = metric_networks_folder(folder) / INCEPTION_FILE
    if not path.is_file():
        return None
    from triptych.weights import read_tensors

    return PublishedInception(inception_of(read_tensors(path), str(path)), sha256_of(path))


def inception_of(state: Mapping[str, Tensor], source: str = "the file") -> InceptionFeatures:
    """Return FID's network with weights named as in torchvision's Inception3; frozen.

    Args:
        state: Tensors by name. The classifier `fc` and the auxiliary head `AuxLogits` may be among
            them and are left out.
        source: Where they are from, for the message.

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
