"""Identity features: unit vectors that stay the same for a person across cameras and styles."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from triptych.errors import UserError
from triptych.nn.arcface import INPUT_SIZE, ArcFace
from triptych.nn.feature_network import WHOLE_HEAD_SIZE, AvatarFeatures
from triptych.nn.ir_se import Squeeze
from triptych.ops.resize import resize

# Rows and columns of the face in 3DpSp's crops, as fractions of the image (35:223 and 32:220 of
# 256 pixels; 70:446 and 64:440 of 512).
_FACE_ROWS = (35 / 256, 223 / 256)
_FACE_COLUMNS = (32 / 256, 220 / 256)


@runtime_checkable
class IdentityFeatures(Protocol):
    """Embeds images of whole heads; the cosine of two embeddings measures identity similarity."""

    def embed(self, image: Tensor) -> Tensor:
        """Return unit features [b, d] of images [b, 3, h, w] in [-1, 1]."""


class AvatarIdentity:
    """The identity feature of an `AvatarFeatures` network, trained on avatars only."""

    def __init__(self, network: AvatarFeatures) -> None:
        self.network = network.requires_grad_(False).eval()

    @classmethod
    def from_pretrained(cls, name_or_path: str = "avatar-classifier") -> AvatarIdentity:
        """Load an embedded network by name or a network from a file."""
        from triptych.weights import load_features

        return cls(load_features(name_or_path))

    def to(self, device: torch.device | str) -> AvatarIdentity:
        """Move the network to a device and return self."""
        self.network.to(device)
        return self

    def embed(self, image: Tensor) -> Tensor:
        """Return unit features [b, identity_dim]; other sizes are resized to 128 pixels first."""
        return self.network.identity(self.network(resize(image, WHOLE_HEAD_SIZE)))


class ArcFaceIdentity:
    """ArcFace features of the face in a crop that is aligned as EG3D's are."""

    def __init__(self, network: ArcFace) -> None:
        self.network = network.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | Path, *, squeeze: Squeeze = "mean") -> ArcFaceIdentity:
        """Use the public weight file.

        Args:
            path: `model_ir_se50.pth`.
            squeeze: "mean" is what the weights were trained with; "max" is how 3DpSp's identity
                loss runs them.
        """
        from triptych.weights import read_tensors

        network = ArcFace(squeeze=squeeze)
        network.load_public(read_tensors(path))
        return cls(network)

    def to(self, device: torch.device | str) -> ArcFaceIdentity:
        """Move the network to a device and return self."""
        self.network.to(device)
        return self

    def crop(self, image: Tensor) -> Tensor:
        """Return the faces [b, 3, 112, 112] of aligned square images [b, 3, s, s]."""
        size = image.shape[-1]
        if image.shape[-2] != size:
            raise UserError(f"identity: got images {list(image.shape)}; expected square ones")
        top, bottom = (round(size * fraction) for fraction in _FACE_ROWS)
        left, right = (round(size * fraction) for fraction in _FACE_COLUMNS)
        return functional.adaptive_avg_pool2d(image[..., top:bottom, left:right], INPUT_SIZE)

    def embed(self, image: Tensor) -> Tensor:
        """Return unit features [b, 512] of aligned images [b, 3, s, s] in [-1, 1]."""
        return self.network(self.crop(image))


def identity_similarity(features: IdentityFeatures, first: Tensor, second: Tensor) -> Tensor:
    """Return the cosine [b] between the identities in two batches of images [b, 3, h, w]."""
    return torch.sum(features.embed(first) * features.embed(second), dim=1)


def identity_kept(edited: Tensor, source: Tensor, other: Tensor) -> Tensor:
    """Return [b] whether an edited image is closer to its source than to another person.

    Args:
        edited: Unit identity features [b, d] of the edited images.
        source: Features of the images before the edit.
        other: Features of other people.
    """
    return (edited * source).sum(dim=1) > (edited * other).sum(dim=1)
