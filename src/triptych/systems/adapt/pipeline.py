"""A few artworks become a style that every head of a generator wears (PStyle-3D's idea)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.config import to_dict
from triptych.errors import UserError
from triptych.metrics.identity import IdentityFeatures
from triptych.metrics.metric_networks import FEATURES, find_metric_networks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.style_numbers import StyleNumbers
from triptych.ops.colour import to_uint8
from triptych.ops.placement import move
from triptych.photos.aligner import Detector, PhotoAligner
from triptych.photos.artworks import Artwork, images_of, on_plain_background, read_artworks
from triptych.photos.matting import HeadMatting
from triptych.portrait import TriPlanePortrait
from triptych.portrait.provenance import provenance_of
from triptych.portrait.style_pack import StyledModel, StylePack
from triptych.progress import Progress
from triptych.systems.adapt.few_shot import FeatureMaps, FewShotRecipe, FewShotSettings
from triptych.weights import load_features, load_generator, read_header
from triptych.weights.registry import weight_file

PREVIEW_SEEDS = (0, 3, 5)
_PREVIEW_SIZE = 96


class AdaptPipeline:
    """Learns styles from artworks.

    Args:
        generator: Whose heads will wear them; frozen.
        features: What style and content are measured by.
        identity: Features of people.
        align: Finds faces in artworks.
        matting: Lays them on the generator's plain background; None leaves them as they are.
        name: Of the generator.
        hashes: Hash of the generator's file by name.
    """

    @checked
    def __init__(
        self,
        generator: TriPlaneGenerator,
        features: FeatureMaps,
        identity: IdentityFeatures,
        align: PhotoAligner,
        *,
        matting: HeadMatting | None = None,
        name: str = "unnamed",
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        self.generator = generator.eval().requires_grad_(False)
        self.features, self.identity = features, identity
        self.align, self.matting = align, matting
        self.name, self.hashes = name, dict(hashes or {})

    @classmethod
    @checked
    def from_pretrained(
        cls,
        model: str | Path = "avatar",
        *,
        detector: Detector = "auto",
        device: torch.device | str = "cpu",
    ) -> AdaptPipeline:
        """Assemble the pipeline from a name of `triptych models` or from a file.

        Args:
            model: "avatar" for the embedded generator, another one's name, or a file.
            detector: What searches for faces.
            device: Where everything computes.

        Raises:
            UserError: A model is missing or broken.
        """
        name = "avatar-generator" if model == "avatar" else model
        generator = load_generator(name)
        framing = generator.config.photo_framing()
        matting = HeadMatting.for_framing(framing, detector) if framing.upright else None
        pipeline = cls(
            generator,
            load_features(FEATURES).requires_grad_(False),
            find_metric_networks().identity,
            PhotoAligner(framing, detector=detector),
            matting=matting,
            name=str(name),
            hashes={"generator": read_header(weight_file(name, "generator")).sha256},
        )
        return pipeline.to(device)

    @checked
    def to(self, device: torch.device | str) -> AdaptPipeline:
        """Let the pipeline compute on a device, and return self; its styles are on the CPU."""
        for part in (self.generator, self.features, self.identity, self.align, self.matting):
            move(part, device)
        return self

    @property
    def model(self) -> StyledModel:
        """The generator's name and hash, by which styles belong to it."""
        return StyledModel(self.name, self.hashes.get("generator", ""))

    def read(self, files: Sequence[Path], warn: Callable[[str], None]) -> list[Artwork]:
        """Read artworks at the generator's size; see `artworks.read_artworks`."""
        size = self.generator.config.image_size
        return [
            on_plain_background(artwork, self.matting)
            for artwork in read_artworks(files, self.align, size, warn)
        ]

    @checked
    def __call__(
        self,
        artworks: Sequence[Artwork],
        *,
        licence: str = "not stated",
        settings: FewShotSettings | None = None,
        progress: Progress | None = None,
        look: Callable[[StylePack], None] | None = None,
    ) -> StylePack:
        """Learn the style of artworks.

        Args:
            artworks: At least one; see `read`.
            licence: Terms of the artworks, for the pack.
            settings: Steps and weights.
            progress: Called with (stage, done, total).
            look: Called now and then with the style as it is so far.
        """
        settings = settings or FewShotSettings()
        if not artworks:
            raise UserError("artworks: got none; expected at least one")
        recipe = FewShotRecipe(self.generator, self.features, self.identity, settings)

        def looked(numbers: StyleNumbers) -> None:
            if look is not None:
                look(self._pack(numbers))

        learned = recipe(images_of(artworks), progress, look=looked)
        provenance = provenance_of(
            "adapt",
            self.name,
            self.hashes,
            artworks=[artwork.name for artwork in artworks],
            settings=to_dict(settings),
            report=learned.report,
        )
        pack = replace(self._pack(learned.learned), licence=licence, provenance=provenance)
        return replace(pack, previews=self.previews(pack))

    def _pack(self, numbers: StyleNumbers) -> StylePack:
        factors, shifts = dict(numbers.factors), dict(numbers.shifts)
        return StylePack(self.model, factors, shifts, colours=numbers.colours)

    @torch.no_grad()
    def previews(self, pack: StylePack) -> Tensor:
        """Return small pictures uint8 [n, h, w, 3] of heads in a style."""
        styled = pack.folded(self.generator, self.model)
        found = []
        for seed in PREVIEW_SEEDS:
            ws = styled.mapping(styled.latent(seed))
            portrait = TriPlanePortrait.from_generator(styled, ws)
            found.append(to_uint8(portrait.render(size=_PREVIEW_SIZE).image.clamp(-1, 1)).cpu())
        return torch.cat(found)
