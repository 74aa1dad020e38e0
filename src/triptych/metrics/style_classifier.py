"""Which style is it: probabilities over named styles, "original" for an untouched head."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from triptych.errors import UserError
from triptych.metrics.working_size import at_working_size
from triptych.nn.feature_network import AvatarFeatures


class StyleClassifier(Protocol):
    """Names the style of images of heads.

    Attributes:
        names: The styles it tells apart, in the order of the probabilities.
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
        """Use the embedded judge or a network in a file."""
        from triptych.weights import load_features

        return cls(load_features(name_or_path))

    def probabilities(self, image: Tensor) -> Tensor:
        """Return probabilities [b, len(names)]; other sizes are brought to 128 pixels first."""
        return self.network.style_logits(self.network(at_working_size(image))).softmax(dim=1)


def style_index(classifier: StyleClassifier, name: str) -> int:
    """Return the position of a style in a classifier's answers.

    Raises:
        UserError: The classifier does not know the style.
    """
    if name not in classifier.names:
        known = ", ".join(classifier.names)
        raise UserError(f"style '{name}' is unknown to the classifier; it knows: {known}")
    return classifier.names.index(name)
