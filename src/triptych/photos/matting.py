"""Matting: which part of a picture is the head with hair and clothes, and which is background."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from triptych.framing import FaceFraming
from triptych.nn.feature_network import WHOLE_HEAD_SIZE, AvatarFeatures
from triptych.ops.colour import to_uint8
from triptych.ops.resize import fit_size, resize
from triptych.photos.aligner import Detector
from triptych.photos.detectors.person_mask import person_in
from triptych.photos.photo import is_on_plain_background

_BACKGROUND = 0


class HeadMatting:
    """Composites aligned pictures on the plain background of the embedded models.

    The foreground mask is that of a network for people in photographs where one is given and finds
    a person, else that of the avatar feature network. On photographs the latter is right on quiet
    backgrounds only; busy ones remain in part.

    Args:
        network: A trained feature network.
        background: Value of the plain background in [-1, 1].
        person: Foreground mask [1, 1, s, s] of a photograph; None where it shows nobody.
    """

    def __init__(
        self,
        network: AvatarFeatures,
        background: float,
        person: Callable[[Tensor], Tensor | None] | None = None,
    ) -> None:
        self._network = network.requires_grad_(False).eval()
        self._background, self._person = background, person

    @classmethod
    def from_pretrained(
        cls,
        background: float,
        name_or_path: str = "avatar-features",
        *,
        person: Callable[[Tensor], Tensor | None] | None = None,
    ) -> HeadMatting:
        """Use the embedded network or one in a file."""
        from triptych.weights import load_features

        return cls(load_features(name_or_path), background, person)

    @classmethod
    def for_framing(cls, framing: FaceFraming, detector: Detector) -> HeadMatting:
        """Use the embedded network, and mediapipe's for people where the detector allows it."""
        person = None if detector == "avatar" else person_in
        return cls.from_pretrained(framing.fill, person=person)

    def to(self, device: torch.device | str) -> HeadMatting:
        """Move the network to a device and return self; mediapipe's stays on the CPU."""
        self._network.to(device)
        return self

    def __call__(self, image: Tensor, *, is_photograph: bool = False) -> Tensor:
        """Return a picture [1, 3, s, s] on the plain background; unchanged if it has it already.

        Args:
            image: Aligned picture in [-1, 1].
            is_photograph: Known to be a photograph: a plain border is outside of the photo.
        """
        if not is_photograph and is_on_plain_background(to_uint8(image)[0].cpu().numpy()):
            return image
        return self.on_plain_background(image)

    def on_plain_background(self, images: Tensor, surely: Tensor | None = None) -> Tensor:
        """Return pictures [b, 3, s, s] composited on the plain background.

        Args:
            images: Aligned pictures in [-1, 1].
            surely: Least probability of the foreground [b, 1, s, s].
        """
        head = self.head(images)
        head = head if surely is None else torch.maximum(head, surely)
        return head * images + (1 - head) * self._background

    @torch.no_grad()
    def head(self, image: Tensor) -> Tensor:
        """Return the foreground mask [b, 1, s, s] in [0, 1]: head with hair and clothes.

        The avatar network's probabilities between a quarter and three quarters are spread over the
        whole range: it is less certain of drawings, whose skin may be as grey as the background.
        """
        if self._person is not None and (person := self._person(image)) is not None:
            return person
        features = self._network(resize(image, WHOLE_HEAD_SIZE))
        background = self._network.region_logits(features).softmax(dim=1)[:, _BACKGROUND, None]
        head = 1 - fit_size(background, image.shape[-1])
        return (2 * head - 0.5).clamp(0, 1)
