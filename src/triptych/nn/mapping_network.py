"""The mapping network: from latents and camera labels to style codes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.ops.precision import at_least_float32


def normalise_second_moment(x: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Scale vectors [..., d] to unit mean square."""
    return x * (x.square().mean(dim=-1, keepdim=True) + epsilon).rsqrt()


class MappingNetwork(nn.Module):
    """Latent z, and optionally a label, to one style code w.

    Args:
        z_dim: Width of z; 0 when only the label is mapped (in discriminators).
        label_dim: Width of the label; 0 for none.
        w_dim: Width of w.
        num_layers: Fully connected layers.
        embed_features: Width of the embedded label; None means w_dim.
        layer_features: Width of hidden layers; None means w_dim.
        lr_multiplier: Equalised learning rate multiplier of the layers (not of the embedding).
        normalize_z: Scale z to unit mean square first.
        track_average: Keep the running mean of w, which truncation needs.
        rng: Source of the initial weights.

    Reference: Karras et al., StyleGAN2 (2020); camera conditioning: EG3D (2022), section 4.4.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        label_dim: int,
        w_dim: int,
        *,
        num_layers: int,
        embed_features: int | None = None,
        layer_features: int | None = None,
        lr_multiplier: float = 0.01,
        normalize_z: bool = True,
        track_average: bool = True,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.label_dim = label_dim
        self.num_layers = num_layers
        self.normalize_z = normalize_z
        embed_width = (embed_features or w_dim) if label_dim else 0
        if label_dim:
            self.embed = FullyConnectedLayer(label_dim, embed_width, rng=rng)
        hidden = [layer_features or w_dim] * (num_layers - 1)
        widths = [z_dim + embed_width, *hidden, w_dim]
        for index, (num_in, num_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            layer = FullyConnectedLayer(
                num_in, num_out, activation="lrelu", lr_multiplier=lr_multiplier, rng=rng
            )
            self.add_module(f"fc{index}", layer)
        if track_average:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    @property
    def layers(self) -> list[FullyConnectedLayer]:
        """The fully connected layers in order, without the embedding of the label."""
        return [getattr(self, f"fc{index}") for index in range(self.num_layers)]

    def forward(self, z: Tensor | None, label: Tensor | None) -> Tensor:
        """Map to style codes [b, w_dim].

        Args:
            z: Latents [b, z_dim], or None when z_dim is 0.
            label: Labels [b, label_dim], or None when label_dim is 0.
        """
        inputs = []
        if self.z_dim:
            assert z is not None
            z = at_least_float32(z)
            inputs.append(normalise_second_moment(z) if self.normalize_z else z)
        if self.label_dim:
            assert label is not None
            inputs.append(normalise_second_moment(self.embed(at_least_float32(label))))
        x = torch.cat(inputs, dim=1)
        for layer in self.layers:
            x = layer(x)
        return x

    def truncate(self, ws: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
        """Move codes [b, k, d] towards the mean code.

        Args:
            ws: Style codes.
            psi: 1 leaves them, 0 gives the mean.
            cutoff: Only the first so many slots are moved; None moves all.
        """
        if psi == 1:
            return ws
        end = ws.shape[1] if cutoff is None else cutoff
        moved = self.w_avg.lerp(ws[:, :end], psi)
        return torch.cat([moved, ws[:, end:]], dim=1)
