"""The feature stack of AlexNet under the parameter names of its public weight file."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from triptych.nn.public_weights import load_public_tensors

LPIPS_TAPS = ("relu1", "relu2", "relu3", "relu4", "relu5")
_CHANNELS = (64, 192, 384, 256, 256)


class AlexNetFeatures(nn.Module):
    """The five convolutions of AlexNet (the one-stream form) with a tap behind every rectifier.

    Parameter names are `features.N.weight` and `features.N.bias`, as in the public file.

    Reference: Krizhevsky, One weird trick for parallelizing convolutional networks (2014).
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth, fifth = _CHANNELS
        self.features = nn.Sequential(
            nn.Conv2d(3, first, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(first, second, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(second, third, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(third, fourth, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(fourth, fifth, 3, padding=1),
            nn.ReLU(),
        )
        self.taps = LPIPS_TAPS

    @property
    def channels(self) -> dict[str, int]:
        """Number of channels of each tap."""
        return dict(zip(self.taps, _CHANNELS, strict=True))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the tapped activations by name, finest first.

        Args:
            image: Images [b, 3, h, w] of at least 31 pixels, normalised as the weights expect it.
        """
        found: list[Tensor] = []
        current = image
        for layer in self.features:
            current = layer(current)
            if isinstance(layer, nn.ReLU):
                found.append(current)
        return dict(zip(self.taps, found, strict=True))

    def load_public(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of the public AlexNet file; its classifier is not needed and ignored.

        Raises:
            UserError: A convolution is missing or has another shape.
        """
        load_public_tensors(self, state, "AlexNet")
