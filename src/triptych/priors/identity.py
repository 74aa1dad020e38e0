"""Who is it: a unit feature that stays the same for a head across cameras and styles."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from triptych.nn.feature_network import AvatarFeatures
from triptych.priors.working_size import at_working_size


class IdentityFeatures(Protocol):
    """Embeds images of whole heads; the cosine of two embeddings says how alike the heads are."""

    def embed(self, image: Tensor) -> Tensor:
        """Return unit features [b, d] of images [b, 3, h, w] in [-1, 1]."""


class AvatarIdentity:
    """The identity feature of an `AvatarFeatures` network, trained on avatars only."""

    def __init__(self, network: AvatarFeatures) -> None:
        self.network = network.requires_grad_(False).eval()

    @classmethod
    def from_pretrained(cls, name_or_path: str = "avatar-classifier") -> AvatarIdentity:
        """Use the embedded judge or a network in a file."""
        from triptych.weights import load_features

        return cls(load_features(name_or_path))

    def embed(self, image: Tensor) -> Tensor:
        """Return unit features [b, identity_dim]; other sizes are brought to 128 pixels first."""
        return self.network.identity(self.network(at_working_size(image)))


def identity_similarity(features: IdentityFeatures, first: Tensor, second: Tensor) -> Tensor:
    """Return the cosine [b] between the identities in two batches of images [b, 3, h, w]."""
    return torch.sum(features.embed(first) * features.embed(second), dim=1)
