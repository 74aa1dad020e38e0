"""A photo and a prompt become an edited portrait in one pass (3DPE)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.editors.prompt_encoder import PromptEncoder
from triptych.errors import UserError, check_whole
from triptych.ops.colour import check_images
from triptych.ops.placement import device_of, move
from triptych.ops.precision import RenderPath
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.aligner import Detector, PhotoAligner
from triptych.photos.matting import HeadMatting
from triptych.portrait import Portrait, TriPlanePortrait
from triptych.portrait.provenance import provenance_of
from triptych.systems.edit.encoder import PhotoFeatures, TriplaneEncoder
from triptych.systems.edit.fast_encoder import fast_encoder
from triptych.systems.edit.network import PortraitEncoder
from triptych.systems.edit.preprocessing import reference_input
from triptych.systems.edit.prompt import Prompt, middle_square
from triptych.weights import read_header
from triptych.weights.loading import load_network
from triptych.weights.registry import weight_file

CROP_SIZE = 512
MOST_FACES = 100


@dataclass(frozen=True, eq=False)
class Edited:
    """What `EditPipeline` returns; give it as `keep` to another call to reuse its parts.

    Attributes:
        portrait: The edited head.
        photo: The photo as the encoder saw it [1, 3, s, s].
        aligned: How it was cut out; None when it came aligned.
        prompt: What was asked for.
        features: What the encoder knows of the photo.
        tokens: What it knows of the prompt; None without one.
        notes: What a person should know about this edit.
        seconds: Wall-clock seconds of each part; of what was kept there is none.
    """

    portrait: TriPlanePortrait
    photo: Tensor
    aligned: AlignedPhoto | None
    prompt: Prompt
    features: PhotoFeatures
    tokens: Tensor | None
    notes: tuple[str, ...]
    seconds: dict[str, float]


class EditPipeline:
    """Turns photos into portraits, edited as words or a picture ask.

    Args:
        network: Encoder and renderer.
        align: Crops a photo; None takes aligned pictures only.
        words: Reads prompts in words; None takes pictures only.
        matting: Composites photos on the model's plain background; None leaves them as they are.
        name: Goes into records.
        hashes: Hash of each model's file by name, for records.
    """

    @checked
    def __init__(
        self,
        network: PortraitEncoder,
        align: PhotoAligner | None = None,
        words: PromptEncoder | None = None,
        *,
        matting: HeadMatting | None = None,
        name: str = "unnamed",
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.align, self.words, self.matting = align, words, matting
        self.name, self.hashes = name, dict(hashes or {})
        self._fast: dict[str, TriplaneEncoder] = {}

    @classmethod
    @checked
    def from_pretrained(
        cls,
        model: str | Path,
        *,
        detector: Detector = "auto",
        device: torch.device | str = "cpu",
    ) -> EditPipeline:
        """Assemble the pipeline from a file: an official one converted, or one that was trained.

        Args:
            model: Name or file of a portrait encoder.
            detector: What searches for faces.
            device: Where everything computes.

        Raises:
            UserError: The model is missing or broken.
        """
        network = load_network(model, "portrait-encoder")
        framing = network.config.rendering.photo_framing()
        matting = HeadMatting.for_framing(framing, detector) if framing.upright else None
        text = network.config.text
        sha256 = read_header(weight_file(model, "portrait-encoder")).sha256
        pipeline = cls(
            network,
            PhotoAligner(framing, detector=detector, size=CROP_SIZE),
            None if text is None else PromptEncoder.from_pretrained(text.encoder),
            matting=matting,
            name=str(model),
            hashes={"portrait-encoder": sha256},
        )
        return pipeline.to(device)

    @checked
    def to(self, device: torch.device | str) -> EditPipeline:
        """Let the pipeline compute on a device, and return self; its portraits are there too."""
        for part in (self.network, self.align, self.words, self.matting):
            move(part, device)
        self._fast.clear()
        return self

    @cached_property
    def takes_prompts(self) -> bool:
        """Whether the network edits; others turn a photo into a portrait as it is."""
        return self.network.config.encoder.prompt is not None

    @checked
    @torch.no_grad()
    def __call__(
        self,
        photo: Any = None,
        prompt: str | None = None,
        *,
        reference: Any = None,
        face: int = 1,
        keep: Edited | None = None,
        path: RenderPath = "fast",
    ) -> Edited:
        """Edit a photo.

        Args:
            photo: An aligned picture [1, 3, h, h] in [-1, 1], a portrait, seen from its own camera,
                or anything that `photos.photo.as_photo` takes. None keeps that of `keep`.
            prompt: What the head becomes, in words.
            reference: A picture in the wanted style, instead of words. Without either the prompt
                of `keep` is kept.
            face: Which face of a photo: 1 is the largest.
            keep: An earlier result of this pipeline: photos and prompts that did not change are not
                encoded again.
            path: "exact" computes as published, "fast" equal up to rounding.

        Raises:
            UserError: Photo or prompt is missing or of no use, or both kinds of prompt are given.
        """
        check_whole("face", face, 1, MOST_FACES)
        seconds: dict[str, float] = {}
        asked = self._prompt(prompt, reference, keep)
        notes = [] if asked.words is None or not self.words else self.words.notes_for(asked.words)
        started = time.monotonic()
        image, aligned = self._photo(photo, face, keep)
        if photo is not None:
            seconds["align"] = time.monotonic() - started
        encoder, started = self._encoder(path), time.monotonic()
        if keep is not None and torch.equal(image, keep.photo):
            features = keep.features
        else:
            features = encoder.photo_features(image)
            seconds["photo"] = time.monotonic() - started
        started = time.monotonic()
        if keep is not None and asked is keep.prompt:
            tokens = keep.tokens
        else:
            tokens = self._tokens(asked, encoder)
            seconds["prompt"] = time.monotonic() - started
        started = time.monotonic()
        planes = encoder.planes(features, tokens)
        seconds["planes"] = time.monotonic() - started
        record = provenance_of(
            "edit",
            self.name,
            self.hashes,
            **asked.record(),
            photo=Prompt(picture=image, name="aligned").record()["reference"],
            path=path,
        )
        portrait = self.network.portrait(planes, record)
        notes += list(aligned.notes) if aligned is not None else []
        return Edited(portrait, image, aligned, asked, features, tokens, tuple(notes), seconds)

    def _prompt(self, words: str | None, reference: Any, keep: Edited | None) -> Prompt:
        asked = Prompt.of(words, reference, self.network.config.encoder.image_size)
        if not self.takes_prompts:
            if not asked.asks_nothing:
                raise UserError(f"{self.name} takes no prompt; it turns a photo into a portrait")
            return asked if keep is None else keep.prompt
        if asked.asks_nothing:
            if keep is None:
                raise UserError("no prompt: say in words what the head becomes, or give a picture")
            return keep.prompt
        if asked.words is not None and self.words is None:
            raise UserError(f"{self.name} takes no words; give a reference picture instead")
        return asked

    def _photo(
        self, photo: Any, face: int, keep: Edited | None
    ) -> tuple[Tensor, AlignedPhoto | None]:
        """Return the picture that the encoder sees, and how it was cut out."""
        if photo is None:
            if keep is None:
                raise UserError("no photo: give a picture, or an earlier result to keep")
            return keep.photo, keep.aligned
        size, device = self.network.config.encoder.image_size, device_of(self.network)
        if isinstance(photo, Portrait):
            picture = photo.render(photo.camera).image.clamp(-1, 1)
            return middle_square(picture.to(device), size), None
        if isinstance(photo, Tensor):
            check_images("photo", photo)
            if len(photo) != 1 or photo.shape[2] != photo.shape[3]:
                raise UserError(
                    f"photo: got {list(photo.shape)}; expected one square picture [1, 3, h, h]"
                )
            return middle_square(photo.to(device), size), None
        if self.align is None:
            raise UserError("this pipeline has no aligner; give an aligned picture [1, 3, h, h]")
        aligned = self.align(photo, face=face)
        picture = aligned.image.to(device)
        if self.matting is not None:
            picture = self.matting(picture, is_photograph=aligned.is_photograph)
        return middle_square(picture, size), aligned

    def _tokens(self, asked: Prompt, encoder: TriplaneEncoder) -> Tensor | None:
        config = self.network.config.encoder.prompt
        if config is None:
            return None
        if asked.picture is not None:
            picture = asked.picture.to(device_of(self.network))
            return encoder.reference_tokens(reference_input(picture, config))
        assert asked.words is not None
        assert self.words is not None
        return self.network.text_tokens(self.words.prompt(asked.words))

    def _encoder(self, path: RenderPath) -> TriplaneEncoder:
        """Return the encoder of a path; it is prepared once."""
        if path not in self._fast:
            self._fast[path] = fast_encoder(self.network.encoder, path)
        return self._fast[path]
