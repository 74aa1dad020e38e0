"""Seeds and regions become a portrait (CNeRF)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from triptych.errors import UserError, check_choice, check_range, check_type, check_whole
from triptych.ops.precision import check_network_dtype
from triptych.portrait.provenance import provenance_of
from triptych.seeds import LAST_AVATAR_SEED
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.systems.compose.regions import region_index, region_indices
from triptych.systems.compose.style_codes import Means, Truncation, decoder_code, volume_code
from triptych.weights import read_header
from triptych.weights.loading import load_network
from triptych.weights.registry import weight_file

Aspect = Literal["shape", "texture", "both"]
Semantics = Literal["true", "published"]


@dataclass(frozen=True)
class RegionChoice:
    """Where a region comes from.

    Attributes:
        region: Its name.
        seed: Whose it is, 0 to 99,999.
        aspect: Its shape, its texture or both.
    """

    region: str
    seed: int
    aspect: Aspect = "both"

    def __post_init__(self) -> None:
        check_type("region", self.region, str)
        check_whole(f"seed of region '{self.region}'", self.seed, 0, LAST_AVATAR_SEED)
        check_choice(f"aspect of region '{self.region}'", self.aspect, get_args(Aspect))

    @classmethod
    def parsed(cls, text: str) -> RegionChoice:
        """Read "hair=7" or "eyes.shape=12".

        Raises:
            UserError: The text has another form.
        """
        place, equals, seed = text.partition("=")
        region, _, aspect = place.partition(".")
        if not (equals and region and seed.isdecimal()):
            raise UserError(
                f"region: got '{text}'; expected NAME=SEED, NAME.shape=SEED or "
                "NAME.texture=SEED, such as hair=7"
            )
        return cls(region, int(seed), aspect or "both")  # type: ignore[arg-type]


def generator_name(model: str | Path) -> str | Path:
    """Return the name in `triptych models`, or the file, of a generator of regions."""
    return "avatar-composer" if model == "avatar" else model


class ComposePipeline:
    """Makes portraits of regions, each of a seed of its own if that is wanted.

    Args:
        generator: In evaluation mode.
        name: Goes into the portraits' provenance.
        hashes: Hash of the generator's file by name, for the same.
    """

    def __init__(
        self,
        generator: RegionGenerator,
        name: str = "unnamed",
        *,
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        self.generator = generator
        self.name, self.hashes = name, dict(hashes or {})

    @classmethod
    def from_pretrained(
        cls, model: str | Path = "avatar", *, device: torch.device | str = "cpu"
    ) -> ComposePipeline:
        """Use a generator of regions of `triptych models`, or one in a file.

        Args:
            model: "avatar" for the embedded one, a name, or a file.
            device: Where it computes.
        """
        name = generator_name(model)
        generator = load_network(name, "region-generator", device)
        sha256 = read_header(weight_file(name, "region-generator")).sha256
        return cls(generator, str(name), hashes={"region-generator": sha256})

    @classmethod
    def of_portrait(cls, portrait: RegionPortrait) -> ComposePipeline:
        """Use the generator that a portrait of regions carries."""
        record = portrait.provenance
        name, hashes = str(record.get("model", "unnamed")), record.get("model_hashes", {})
        return cls(portrait.generator, name, hashes=hashes)

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions, in the order of `View.regions`."""
        return self.generator.config.regions

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> ComposePipeline:
        """Let the pipeline compute on a device, and return self; its portraits are there too.

        Args:
            device: Where to.
            dtype: Of the decoder, float32, bfloat16 or float16; None keeps it. Codes, region
                networks and everything that is rendered are float32.

        Raises:
            UserError: The dtype is another one.
        """
        if dtype is not None:
            check_network_dtype(dtype)
        # Portraits that were made before keep the generator that they share.
        generator = copy.deepcopy(self.generator).to(device)
        if generator.decoder is not None and generator.feature_transfer is not None:
            generator.decoder.synthesis_to(dtype)
            generator.feature_transfer.to(dtype=dtype)
        self.generator = generator
        self.__dict__.pop("_means", None)
        return self

    def __call__(
        self,
        seed: int,
        regions: Sequence[RegionChoice] = (),
        *,
        only: Sequence[str] | None = None,
        semantics: Semantics = "true",
        truncation_psi: float = 0.7,
        truncation: Truncation = "single",
    ) -> RegionPortrait:
        """Return the portrait of a seed, some of its regions from other seeds.

        Args:
            seed: Whose regions are used where nothing else is said, 0 to 99,999.
            regions: Regions from other seeds.
            only: Show these regions alone; None for all.
            semantics: How: "true" cuts the volume down to them; "published" decodes their features
                over the geometry of all, as the release's `--semantics`.
            truncation_psi: 1 draws from everything the model knows; towards 0 heads become more
                alike and cleaner. Models of attributes move towards the average person.
            truncation: See `style_codes.Truncation`.

        Raises:
            UserError: A region is unknown or given twice, or a number is out of range.
        """
        check_whole("seed", seed, 0, LAST_AVATAR_SEED)
        check_range("truncation_psi", truncation_psi, 0.0, 1.5)
        check_choice("truncation", truncation, get_args(Truncation))
        shown = self._shown(only, semantics)
        slots = self._slots(regions)
        codes = self._codes(seed, truncation_psi, truncation).clone()
        for choice, places in slots:
            other = self._codes(choice.seed, truncation_psi, truncation)
            codes[:, places] = other[:, places]
        portrait = RegionPortrait(
            generator=self.generator,
            codes=codes,
            decoder_code=self._decoder_code(seed, truncation_psi),
            camera=self.generator.config.view.camera().to(codes.device),
            provenance=provenance_of(
                "compose",
                self.name,
                self.hashes,
                seed=int(seed),
                regions=[vars(choice) for choice in regions],
                only=None if only is None else list(only),
                semantics=semantics,
                truncation_psi=float(truncation_psi),
                truncation=truncation,
            ),
        )
        return replace(portrait, **shown)

    def changed(
        self,
        portrait: RegionPortrait,
        regions: Sequence[RegionChoice] = (),
        *,
        only: Sequence[str] | None = None,
        semantics: Semantics = "true",
    ) -> RegionPortrait:
        """Return a portrait with some regions from seeds, truncated as the portrait was.

        Args:
            portrait: What to go on from; unchanged.
            regions: Regions from seeds.
            only: See `__call__`; None shows all.
            semantics: See `__call__`.
        """
        check_type("portrait", portrait, RegionPortrait)
        shown, slots = self._shown(only, semantics), self._slots(regions)
        psi = portrait.provenance.get("truncation_psi", 0.7)
        truncation = portrait.provenance.get("truncation", "single")
        codes = portrait.codes.clone()
        for choice, places in slots:
            codes[:, places] = self._codes(choice.seed, psi, truncation)[:, places]
        earlier = portrait.provenance.get("regions", [])
        record = {
            **portrait.provenance,
            "regions": [*earlier, *(vars(choice) for choice in regions)],
            "only": None if only is None else list(only),
            "semantics": semantics,
        }
        return replace(portrait, codes=codes, provenance=record, **shown)

    @property
    def _knows_attributes(self) -> bool:
        return self.generator.config.latent_kind == "attributes"

    @torch.no_grad()
    def _codes(self, seed: int, psi: float, truncation: Truncation) -> Tensor:
        """Return the codes [1, 2 * regions, d] of all regions of a seed."""
        generator = self.generator
        if self._knows_attributes:
            return generator.codes_of_attributes(generator.latent(seed, attribute_psi=psi))
        w = generator.mapping(generator.latent(seed))
        return generator.codes_of(w if psi == 1 else volume_code(w, self._means, psi, truncation))

    @torch.no_grad()
    def _decoder_code(self, seed: int, psi: float) -> Tensor | None:
        """Return the decoder's code; of attributes it knows none."""
        generator = self.generator
        if generator.decoder is None:
            return None
        if self._knows_attributes:
            return generator.shared_decoder_code()
        return decoder_code(generator, generator.mapping(generator.latent(seed)), self._means, psi)

    @cached_property
    def _means(self) -> Means:
        return Means.of(self.generator)

    def _slots(self, regions: Sequence[RegionChoice]) -> list[tuple[RegionChoice, list[int]]]:
        """Return which codes each choice sets.

        Raises:
            UserError: A region is unknown, or the same part of it is given twice.
        """
        check_type("regions", regions, list, tuple)
        taken: set[int] = set()
        slots = []
        for choice in regions:
            check_type("regions", choice, RegionChoice)
            first = 2 * region_index(choice.region, self.regions)
            places = {"shape": [first], "texture": [first + 1], "both": [first, first + 1]}
            wanted = places[choice.aspect]
            if taken & set(wanted):
                raise UserError(
                    f"region '{choice.region}' is given twice; give its shape and its texture "
                    "once each"
                )
            taken |= set(wanted)
            slots.append((choice, wanted))
        return slots

    def _shown(self, only: Sequence[str] | None, semantics: Semantics) -> dict[str, Any]:
        """Return what a portrait of some regions alone says about them."""
        check_choice("semantics", semantics, get_args(Semantics))
        if only is None:
            return {"only": None, "shown": None}
        check_type("only", only, list, tuple)
        indices = region_indices(only, self.regions, "only")
        if semantics == "true":
            return {"only": indices, "shown": None}
        if self.generator.decoder is None:
            raise UserError(
                "semantics: 'published' chooses what the decoder is given, and this model has no "
                "decoder; use 'true'"
            )
        return {"only": None, "shown": indices}
