"""All region networks of a generator, and the network of the first shape that they refine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.systems.compose.generator_config import RegionGeneratorConfig
from triptych.systems.compose.region_network import RegionNetwork

_FIRST_BETA = 0.1


class RegionNetworks(nn.Module):
    """One network per region, the network of the initial shape and the softness of surfaces.

    Parameter names are those of the published `renderer`. The published initial network has the
    layout of a region's; its mask, feature and colour heads are dead weights that a file still
    holds.

    Args:
        config: Sizes.
        rng: Source of the initial weights.
    """

    def __init__(self, config: RegionGeneratorConfig, *, rng: torch.Generator) -> None:
        super().__init__()

        def network() -> RegionNetwork:
            return RegionNetwork(
                config.hidden,
                config.style_dim,
                config.shape_layers,
                config.texture_layers,
                rng=rng,
            )

        self.sigmoid_beta = nn.Parameter(torch.full([1], _FIRST_BETA))
        self.network = nn.ModuleList(network() for _ in range(config.num_regions))
        self.init_network = network()

    def networks(self) -> list[RegionNetwork]:
        """Return the networks of all regions in order."""
        return [network for network in self.network if isinstance(network, RegionNetwork)]

    def initial_sdf(self, points: Tensor, codes: Tensor) -> Tensor:
        """Return the signed distance [b, n, 1] of the initial shape.

        It is steered by the codes of region 0, and training leaves it as it is.

        Args:
            points: Points [b, n, 3]; the volume is [-1, 1].
            codes: Codes [b or 1, 2 * regions, d]; see `region_codes`.
        """
        return self.init_network.sdf(points, *region_codes(codes, 0))

    def residual_sdf(self, points: Tensor, codes: Tensor) -> Tensor:
        """Return the sum of all regions' distances [b, n, 1], without the initial shape."""
        parts = [
            network.sdf(points, *region_codes(codes, index))
            for index, network in enumerate(self.networks())
        ]
        return torch.stack(parts).sum(dim=0)


def region_codes(codes: Tensor, index: int) -> tuple[Tensor, Tensor]:
    """Return shape and texture code [b, d] of a region out of all codes [b, 2 * regions, d]."""
    return codes[:, 2 * index], codes[:, 2 * index + 1]


def layer_codes(codes: Tensor, shape_layers: int, texture_layers: int) -> Tensor:
    """Return the code of every layer [b, regions * layers, d], as the published code lists them."""
    layers = torch.tensor([shape_layers, texture_layers], device=codes.device)
    return codes.repeat_interleave(layers.repeat(codes.shape[1] // 2), dim=1)
