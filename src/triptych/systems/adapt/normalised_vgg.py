"""The VGG network of AdaIN, whose channels were rescaled to unit mean activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from triptych.nn.public_weights import load_public_tensors

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
_TAP_AT = dict(zip((3, 10, 17, 30), TAPS, strict=True))
_CONVOLUTIONS = (2, 2, 4, 1)
"""3x3 convolutions of each width; a pooling layer stands between two widths."""
PUBLISHED_WIDTHS = (64, 128, 256, 512)


class NormalisedVGG(nn.Sequential):
    """VGG19 up to relu4_1 with reflected borders, a 1x1 convolution first.

    Parameter names are the indices of the public file (`vgg_normalised.pth`).

    Args:
        widths: Channels at each scale.

    Reference: Huang and Belongie, AdaIN (2017).
    """

    def __init__(self, widths: Sequence[int] = PUBLISHED_WIDTHS) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, 3, 1)]
        incoming = 3
        for level, (width, count) in enumerate(zip(widths, _CONVOLUTIONS, strict=True)):
            if level:
                layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            for _ in range(count):
                layers += [nn.ReflectionPad2d(1), nn.Conv2d(incoming, width, 3), nn.ReLU()]
                incoming = width
        super().__init__(*layers)

    def taps(self, image: Tensor) -> dict[str, Tensor]:
        """Return the activations of `TAPS` by name, finest first.

        Args:
            image: Images [b, 3, h, w]. The network expects [0, 1]; PStyle-3D feeds it [-1, 1].
        """
        found: dict[str, Tensor] = {}
        for index, layer in enumerate(self):
            image = layer(image)
            if index in _TAP_AT:
                found[_TAP_AT[index]] = image
        return found

    def load_public(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of the public file; its layers behind relu4_1 are ignored.

        Raises:
            UserError: A convolution is missing or has another shape.
        """
        load_public_tensors(self, state, "AdaIN's normalised VGG")
