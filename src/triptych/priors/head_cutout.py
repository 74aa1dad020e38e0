"""Which part of a picture is the head with its hair and clothes, and which lies behind it."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.nn.feature_network import AvatarFeatures
from triptych.ops.colour import to_uint8
from triptych.ops.fit_size import fit_size
from triptych.priors.photo_aligner import is_on_plain_background
from triptych.priors.working_size import at_working_size

_BACKGROUND = 0


class HeadCutout:
    """Puts aligned pictures before the plain background that the embedded models know.

    The regions come from the avatar feature network. On photographs it finds heads before quiet
    backgrounds; busy ones stay in part.

    Args:
        network: A trained feature network.
        background: Value of the plain background in [-1, 1].
    """

    def __init__(self, network: AvatarFeatures, background: float) -> None:
        self._network = network.requires_grad_(False).eval()
        self._background = background

    @classmethod
    def from_pretrained(
        cls, background: float, name_or_path: str = "avatar-features"
    ) -> HeadCutout:
        """Use the embedded network or one in a file."""
        from triptych.weights import load_features

        return cls(load_features(name_or_path), background)

    def __call__(self, image: Tensor) -> Tensor:
        """Return a picture [1, 3, s, s] before the plain background; as it is if it stands there.

        Args:
            image: Aligned picture in [-1, 1].
        """
        if is_on_plain_background(to_uint8(image)[0].cpu().numpy()):
            return image
        head = self.head(image)
        return head * image + (1 - head) * self._background

    @torch.no_grad()
    def head(self, image: Tensor) -> Tensor:
        """Return how surely each pixel belongs to the head [b, 1, s, s], in [0, 1]."""
        features = self._network(at_working_size(image))
        background = self._network.region_logits(features).softmax(dim=1)[:, _BACKGROUND, None]
        return 1 - fit_size(background, image.shape[-1])
