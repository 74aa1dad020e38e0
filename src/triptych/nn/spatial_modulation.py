"""FF3D's spatial modulation by a style code with spatial positions (Eq. 3)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from triptych.ops.resize import resize_bilinear

Modulation = Literal["full", "positional"]


def normalise_channels(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise over the channels at each position, not over the positions of each channel.

    Args:
        x: Features [b, c, h, w].
        eps: Added to the biased variance.

    Returns:
        Features [b, c, h, w] with zero mean and unit variance over c at every position.

    Reference:
        FF3D, Eq. 3: mu and sigma carry the index of a position.
    """
    channels_last = x.permute(0, 2, 3, 1)
    return F.layer_norm(channels_last, channels_last.shape[-1:], eps=eps).permute(0, 3, 1, 2)


class SpatialModulation(nn.Module):
    """Scale and shift normalised features by maps computed from a spatial style code.

    `F <- gamma(w_s) * (F - mu) / sigma + beta(w_s)`, with the two small networks evaluated at the
    size of the code and their maps resized to the size of the features.

    Args:
        channels: Channels c of the features.
        code_channels: Channels of the style code w_s.
        hidden: Width of the layer that gamma and beta share.
        modulation: "full": one map per channel; "positional": one map for all channels, the
            literal reading of the paper, whose gamma and beta carry no channel index.
        eps: Added to the variance.

    Reference:
        FF3D, Eq. 3.
    """

    def __init__(
        self,
        channels: int,
        code_channels: int,
        hidden: int = 128,
        modulation: Modulation = "full",
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        maps = channels if modulation == "full" else 1
        self.eps = eps
        self.shared = nn.Conv2d(code_channels, hidden, 3, padding=1)
        self.gamma = nn.Conv2d(hidden, maps, 3, padding=1)
        self.beta = nn.Conv2d(hidden, maps, 3, padding=1)
        # Initially the normalised features pass almost unchanged.
        nn.init.ones_(self.gamma.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.beta.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Modulate features.

        Args:
            x: Features [b, c, h, w].
            code: Spatial style code [b, code_channels, k, k].

        Returns:
            Modulated features [b, c, h, w].
        """
        shared = F.leaky_relu(self.shared(code), 0.2)
        size = (x.shape[-2], x.shape[-1])
        gamma = resize_bilinear(self.gamma(shared), size)
        beta = resize_bilinear(self.beta(shared), size)
        return gamma * normalise_channels(x, self.eps) + beta
