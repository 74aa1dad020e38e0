"""From w to the codes of a portrait: truncation as published, mixing as in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from triptych.systems.compose.generator import RegionGenerator

Truncation = Literal["single", "published"]
"""How often truncation moves the volume's codes towards their mean.

"single": once. "published": CNeRF's inference does it twice, so that its 0.7 acts as 0.49. Either
way the decoder maps the once truncated code and truncates what comes of it.
"""


@dataclass(frozen=True, eq=False)
class Means:
    """Means that truncation moves codes to.

    Attributes:
        w: Of the volume's codes [1, d].
        decoder: Of the decoder's codes [1, D]; None without a decoder.
    """

    w: Tensor
    decoder: Tensor | None

    @classmethod
    def of(cls, generator: RegionGenerator) -> Means:
        """Measure the means of a generator; the same ones each time."""
        return cls(*generator.mean_codes())


def towards(mean: Tensor, code: Tensor, psi: float) -> Tensor:
    """Return a code moved towards its mean: 1 leaves it, 0 gives the mean."""
    return mean + psi * (code - mean) if psi != 1 else code


def volume_code(w: Tensor, means: Means, psi: float, truncation: Truncation) -> Tensor:
    """Return the truncated code [b, d] of the volume."""
    once = towards(means.w, w, psi)
    return towards(means.w, once, psi) if truncation == "published" else once


def decoder_code(generator: RegionGenerator, w: Tensor, means: Means, psi: float) -> Tensor:
    """Return the truncated code [b, D] of the decoder, of w [b, d]."""
    assert means.decoder is not None
    return towards(means.decoder, generator.decoder_codes(towards(means.w, w, psi)), psi)


@dataclass(frozen=True, eq=False)
class MixDraws:
    """The random choices of mixing.

    Attributes:
        regions: 0, 1 or 2 for each image and region [b, k]: both codes from the first latent;
            shape from the first and texture from the second; both from the second.
        crossover: From which decoder layer on the second latent is used.
    """

    regions: Tensor
    crossover: int

    @classmethod
    def random(
        cls, batch: int, num_regions: int, num_layers: int, generator: torch.Generator
    ) -> MixDraws:
        """Draw choices as CNeRF's training does."""
        regions = torch.randint(3, (batch, num_regions), generator=generator)
        crossover = torch.randint(1, max(2, num_layers), (1,), generator=generator)
        return cls(regions, int(crossover))


def mixed_codes(first: Tensor, second: Tensor, regions: Tensor) -> Tensor:
    """Return codes [b, 2k, d] in which some regions' shape or texture are of another w.

    Args:
        first: w [b, d].
        second: w [b, d].
        regions: See `MixDraws`.
    """
    of_second = torch.stack([regions == 2, regions >= 1], dim=2).flatten(1).to(first.device)
    return torch.where(of_second[..., None], second[:, None], first[:, None])


def mixed_decoder_codes(first: Tensor, second: Tensor, num_layers: int, crossover: int) -> Tensor:
    """Return decoder codes [b, num_layers, D]: the second's from a layer on."""
    parts = [first[:, None].expand(-1, crossover, -1)]
    parts.append(second[:, None].expand(-1, num_layers - crossover, -1))
    return torch.cat(parts, dim=1)
