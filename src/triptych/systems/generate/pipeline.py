"""A seed becomes a plain 3D portrait (EG3D)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.config import to_dict
from triptych.errors import check_range
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.latents import check_latent_seed
from triptych.models.style_strength import FULL_STRENGTH, StyleStrength
from triptych.ops.precision import check_network_dtype
from triptych.portrait import TriPlanePortrait
from triptych.portrait.provenance import provenance_of
from triptych.portrait.style_pack import StyledModel, StylePack
from triptych.weights import load_generator, read_header
from triptych.weights.registry import weight_file

LARGEST_TRUNCATION_PSI = 1.5


class GeneratePipeline:
    """Draws portraits from a generator.

    Args:
        generator: In evaluation mode.
        name: Goes into the portraits' provenance.
        hashes: Hash of the generator's file by name, for the same.
    """

    @checked
    def __init__(
        self,
        generator: TriPlaneGenerator,
        name: str = "unnamed",
        *,
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        self.generator = generator
        self.name, self.hashes = name, dict(hashes or {})
        self._worn: tuple[StylePack, StyleStrength, TriPlaneGenerator] | None = None

    @classmethod
    @checked
    def from_pretrained(
        cls, model: str | Path = "avatar", *, device: torch.device | str = "cpu"
    ) -> GeneratePipeline:
        """Use "avatar", another generator of `triptych models`, or one in a file.

        Args:
            model: Its name or file.
            device: Where it computes.
        """
        name = "avatar-generator" if model == "avatar" else model
        generator = load_generator(name, device)
        hashes = {"generator": read_header(weight_file(name, "generator")).sha256}
        return cls(generator, str(name), hashes=hashes)

    @checked
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> GeneratePipeline:
        """Let the pipeline compute on a device, and return self; its portraits are there too.

        Args:
            device: Where to.
            dtype: Of the network that synthesizes planes, float32, bfloat16 or float16; None keeps
                it. Style codes, planes and everything that is rendered are float32.

        Raises:
            UserError: The dtype is another one.
        """
        if dtype is not None:
            check_network_dtype(dtype)
        self._worn = None  # folded anew where the generator is
        self.generator.to(device)
        self.generator.backbone.synthesis.to(dtype=dtype)
        return self

    @checked
    def __call__(
        self,
        seed: int,
        *,
        truncation_psi: float = 1.0,
        style: StylePack | None = None,
        strength: StyleStrength = FULL_STRENGTH,
    ) -> TriPlanePortrait:
        """Return the portrait of a seed.

        Args:
            seed: 0 to 99,999, or any of 32 bits for official models, as EG3D's scripts draw it; a
                seed is the same head today and tomorrow.
            truncation_psi: 1 draws from everything the model knows; towards 0 heads become more
                alike, and cleaner with official models.
            style: What every head wears; None leaves heads as they are.
            strength: How much of the style.

        Raises:
            UserError: One of them is no such number, or out of its range; or the style belongs to
                another generator.
        """
        self.check_seed("seed", seed)
        check_range("truncation_psi", truncation_psi, 0.0, LARGEST_TRUNCATION_PSI)
        seed, truncation_psi = int(seed), float(truncation_psi)
        request: dict[str, Any] = {"seed": seed, "truncation_psi": truncation_psi}
        ws = self.style_codes(seed, truncation_psi=truncation_psi)
        generator = self.generator
        if style is not None:
            generator = self._styled(style, strength)
            request |= {"style": style.record(), "strength": to_dict(strength)}
        provenance = provenance_of("generate", self.name, self.hashes, **request)
        return TriPlanePortrait.from_generator(generator, ws, provenance=provenance)

    @property
    def model(self) -> StyledModel:
        """The generator's name and hash, by which styles belong to it."""
        return StyledModel(self.name, self.hashes.get("generator", ""))

    def _styled(self, style: StylePack, strength: StyleStrength) -> TriPlaneGenerator:
        """Return the generator in a style; the last one is kept for the next head."""
        if self._worn is None or self._worn[:2] != (style, strength):
            self._worn = (style, strength, style.folded(self.generator, self.model, strength))
        return self._worn[2]

    def check_seed(self, name: str, seed: Any) -> None:
        """Raise UserError unless the generator has such a seed; see `models.latents`."""
        check_latent_seed(name, seed, self.generator.config.latent_kind)

    @checked
    @torch.no_grad()
    def style_codes(self, seed: int, *, truncation_psi: float = 1.0) -> Tensor:
        """Return the style codes [1, num_ws, w_dim] of a seed; see `__call__`."""
        self.check_seed("seed", seed)
        check_range("truncation_psi", truncation_psi, 0.0, LARGEST_TRUNCATION_PSI)
        generator = self.generator
        if generator.config.latent_kind == "attributes":
            return generator.mapping(generator.latent(seed, attribute_psi=truncation_psi))
        return generator.mapping(generator.latent(seed), truncation_psi=truncation_psi)
