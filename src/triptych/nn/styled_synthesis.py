"""Fast forms of the networks of synthesis blocks: the backbone and the super-resolution network.

They compute the same for one portrait, without gradients: in float32 up to rounding, in bfloat16
approximately.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from triptych.nn.styled_block import StyledBlock
from triptych.nn.styled_convolution import is_supported
from triptych.nn.superresolution import SuperResolution
from triptych.nn.synthesis_layers import NoiseMode, SynthesisLayer
from triptych.nn.synthesis_network import SynthesisNetwork
from triptych.ops.placement import in_cpu_memory


def has_styled_form(network: nn.Module) -> bool:
    """Say whether all synthesis layers of a network have a fast form, where they are."""
    layers = [module for module in network.modules() if isinstance(module, SynthesisLayer)]
    return all(
        in_cpu_memory(layer.weight) and layer.weight.dtype == torch.float32 and is_supported(layer)
        for layer in layers
    )


@torch.no_grad()
def synthesize_fast(
    network: SynthesisNetwork,
    ws: Tensor,
    dtype: torch.dtype,
    *,
    noise_mode: NoiseMode = "const",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the image [1, c, size, size] of style codes [1, num_ws, w_dim], as the network does.

    Args:
        network: Must have a styled form.
        ws: Style codes of one portrait.
        dtype: Of the maps: float32 or bfloat16.
        noise_mode: See `SynthesisNetwork`.
        generator: See `SynthesisNetwork`.
    """
    x: Tensor | None = None
    image: Tensor | None = None
    blocks = list(network.blocks_with_codes(ws.float()))
    for index, (block, codes) in enumerate(blocks):
        styled = StyledBlock.of(block, codes, dtype, noise_mode=noise_mode, generator=generator)
        x, image = styled(x, image, is_last=index == len(blocks) - 1)
    assert image is not None
    return image


@dataclass(frozen=True, eq=False)
class StyledSuperResolution:
    """A super-resolution network with the style of one portrait multiplied in, for all views.

    Attributes:
        sr_module: The network.
        blocks: Its blocks.
        dtype: Of the maps.
    """

    sr_module: SuperResolution
    blocks: tuple[StyledBlock, StyledBlock]
    dtype: torch.dtype

    @classmethod
    @torch.no_grad()
    def of(
        cls, sr_module: SuperResolution, ws: Tensor, dtype: torch.dtype
    ) -> StyledSuperResolution:
        """Multiply the last of the style codes [1, k, d] into a network that has a styled form."""
        codes = ws[:, -1:].float().repeat(1, 3, 1)
        mode = sr_module.config.noise_mode
        first, second = (
            StyledBlock.of(block, codes, dtype, noise_mode=mode)
            for block in (sr_module.block0, sr_module.block1)
        )
        return cls(sr_module, (first, second), dtype)

    @torch.no_grad()
    def __call__(self, features: Tensor) -> Tensor:
        """Return images [v, 3, H, H] of rendered features [v, c, h, h]."""
        return torch.cat([self._upsampled(view[None]) for view in features])

    def _upsampled(self, features: Tensor) -> Tensor:
        x = self.sr_module.at_input_size(features)
        rows: Tensor | None = x[0].permute(1, 2, 0).to(self.dtype).contiguous()
        image: Tensor | None = x[:, :3].clone()
        first, second = self.blocks
        rows, image = first(rows, image)
        _, image = second(rows, image, is_last=True)
        assert image is not None
        return image
