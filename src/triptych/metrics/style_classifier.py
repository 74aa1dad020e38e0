"""Style classification: probabilities over named styles; "original" is the unstyled head."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.nn.feature_network import WHOLE_HEAD_SIZE, AvatarFeatures
from triptych.ops.resize import resize


class StyleClassifier(Protocol):
    """Classifies the style of images of heads.

    Attributes:
        names: The styles, in the order of the probabilities.
    """

    names: tuple[str, ...]

    def probabilities(self, image: Tensor) -> Tensor:
        """Return the probability of each style [b, len(names)] for images in [-1, 1]."""


class AvatarStyleClassifier:
    """The style head of an `AvatarFeatures` network, trained on avatar renders only."""

    def __init__(self, network: AvatarFeatures) -> None:
        self.network = network.requires_grad_(False).eval()
        self.names = network.config.style_names

    @classmethod
    def from_pretrained(cls, name_or_path: str = "avatar-classifier") -> AvatarStyleClassifier:
        """Load an embedded network by name or a network from a file."""
        from triptych.weights import load_features

        return cls(load_features(name_or_path))

    def to(self, device: torch.device | str) -> AvatarStyleClassifier:
        """Move the network to a device and return self."""
        self.network.to(device)
        return self

    def probabilities(self, image: Tensor) -> Tensor:
        """Return probabilities [b, len(names)]; other sizes are resized to 128 pixels first."""
        features = self.network(resize(image, WHOLE_HEAD_SIZE))
        return self.network.style_logits(features).softmax(dim=1)


def style_index(classifier: StyleClassifier, name: str) -> int:
    """Return the position of a style in a classifier's probabilities.

    Raises:
        UserError: The classifier does not know the style.
    """
    if name not in classifier.names:
        known = ", ".join(classifier.names)
        raise UserError(f"style '{name}' is unknown to the classifier; it knows: {known}")
    return classifier.names.index(name)


def style_recognised(classifier: StyleClassifier, image: Tensor, style: str) -> Tensor:
    """Return [b] whether the most probable style of images [b, 3, h, w] is the given one."""
    return classifier.probabilities(image).argmax(dim=1) == style_index(classifier, style)


def style_probability(classifier: StyleClassifier, image: Tensor, style: str) -> Tensor:
    """Return the classifier's probability [b] of the given style."""
    return classifier.probabilities(image)[:, style_index(classifier, style)]
