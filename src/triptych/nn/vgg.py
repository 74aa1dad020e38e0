"""The feature stack of VGG16 under the parameter names of its public weight file."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from triptych.errors import UserError
from triptych.nn.public_weights import load_public_tensors

# Convolutions per block and their width (Simonyan and Zisserman 2015, configuration D).
_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))

LPIPS_TAPS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


class VGG16Features(nn.Module):
    """The thirteen convolutions of VGG16 with a tap behind every rectifier.

    Parameter names are `features.N.weight` and `features.N.bias`, as in the public file.

    Args:
        taps: Names of the activations to return: "relu1_1" to "relu5_3".

    Raises:
        UserError: A tap is unknown.
    """

    def __init__(self, taps: tuple[str, ...] = LPIPS_TAPS) -> None:
        super().__init__()
        layers, self._tap_at = _layers_and_taps()
        unknown = [tap for tap in taps if tap not in self._tap_at.values()]
        if unknown or not taps:
            known = ", ".join(self._tap_at.values())
            raise UserError(f"taps: got {unknown or 'none'}; expected names among {known}")
        self.taps = taps
        self.features = nn.Sequential(*layers)

    @property
    def channels(self) -> dict[str, int]:
        """Number of channels of each tap."""
        return {tap: _BLOCKS[int(tap[4]) - 1][1] for tap in self.taps}

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the tapped activations by name, finest first.

        Args:
            image: Images [b, 3, h, w], normalised as the weights expect it.
        """
        found: dict[str, Tensor] = {}
        current = image
        for index, layer in enumerate(self.features):
            current = layer(current)
            name = self._tap_at.get(index)
            if name in self.taps:
                found[name] = current
            if len(found) == len(self.taps):
                break
        return found

    def load_public(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of the public VGG16 file; its classifier is not needed and ignored.

        Raises:
            UserError: A convolution is missing or has another shape.
        """
        load_public_tensors(self, state, "VGG16")


def _layers_and_taps() -> tuple[list[nn.Module], dict[int, str]]:
    """Return the layers in the public order and the name of the tap at each rectifier's index."""
    layers: list[nn.Module] = []
    tap_at: dict[int, str] = {}
    width_in = 3
    for block, (count, width) in enumerate(_BLOCKS, start=1):
        for layer in range(1, count + 1):
            layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.ReLU()]
            tap_at[len(layers) - 1] = f"relu{block}_{layer}"
            width_in = width
        layers.append(nn.MaxPool2d(2))
    return layers, tap_at
