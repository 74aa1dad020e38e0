"""A photo and a prompt become an edited portrait in one pass (3DPE)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.editors.prompt_encoder import PromptEncoder
from triptych.errors import UserError, check_range, check_whole
from triptych.ops.placement import device_of, move
from triptych.ops.precision import RenderPath, check_network_dtype
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.aligner import Detector, PhotoAligner
from triptych.photos.matting import HeadMatting
from triptych.portrait import TriPlanePortrait
from triptych.portrait.provenance import provenance_of
from triptych.systems.edit.encoder import PhotoFeatures, TriplaneEncoder
from triptych.systems.edit.fast_encoder import fast_encoder
from triptych.systems.edit.network import PortraitEncoder
from triptych.systems.edit.photo_input import photo_input
from triptych.systems.edit.preprocessing import reference_input
from triptych.systems.edit.prompt import Prompt
from triptych.systems.edit.style import EditStyle
from triptych.weights import read_header
from triptych.weights.loading import load_network
from triptych.weights.registry import weight_file

CROP_SIZE = 512
MOST_FACES = 100
AVATAR, EMBEDDED = "avatar", "avatar-edit"
_KIND = "portrait-encoder"
_MOST_PHOTOS = 256


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
        strength: How far the head went from the unedited one to the edited one.
        notes: What a person should know about this edit.
        seconds: Wall-clock seconds of each part; of what was kept there is none.
    """

    portrait: TriPlanePortrait
    photo: Tensor
    aligned: AlignedPhoto | None
    prompt: Prompt
    features: PhotoFeatures
    tokens: Tensor | None
    strength: float
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
        self._dtype: torch.dtype | None = None
        self._fast: dict[tuple[str, str], TriplaneEncoder] = {}

    @classmethod
    @checked
    def from_pretrained(
        cls,
        model: str | Path = AVATAR,
        *,
        base: str | Path | None = None,
        detector: Detector = "auto",
        device: torch.device | str = "cpu",
    ) -> EditPipeline:
        """Assemble the pipeline from a file: an official one converted, or one that was trained.

        Args:
            model: "avatar", or name or file of a portrait encoder.
            base: The Live3D file that an official model was trained over, for `strength` and for
                learning custom edits; the embedded model has its own.
            detector: What searches for faces.
            device: Where everything computes.

        Raises:
            UserError: The model is missing or broken.
        """
        named = EMBEDDED if model == AVATAR else model
        network = load_network(named, _KIND)
        hashes = {_KIND: read_header(weight_file(named, _KIND)).sha256}
        if base is not None:
            network = network.with_base(load_network(base, _KIND))
            hashes["base"] = read_header(weight_file(base, _KIND)).sha256
        framing = network.config.rendering.photo_framing()
        matting = HeadMatting.for_framing(framing, detector) if framing.upright else None
        text = network.config.text
        pipeline = cls(
            network,
            PhotoAligner(framing, detector=detector, size=CROP_SIZE),
            None if text is None else PromptEncoder.from_pretrained(text.encoder),
            matting=matting,
            name=str(model),
            hashes=hashes,
        )
        return pipeline.to(device)

    @checked
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> EditPipeline:
        """Let the pipeline compute on a device, and return self; its portraits are there too.

        Args:
            device: Where to.
            dtype: In which the encoder computes on its fast path, float32, bfloat16 or float16;
                None keeps what it was: at first bfloat16 where that is fast.

        Raises:
            UserError: The dtype is another one.
        """
        if dtype is not None:
            check_network_dtype(dtype)
            self._dtype = dtype
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
        style: EditStyle | str | Path | None = None,
        strength: float = 1.0,
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
            style: What `triptych edit-style` learned, or its file, instead of both.
            strength: 0 is the head as it is, 1 the whole edit; planes between both are mixed.
            face: Which face of a photo: 1 is the largest.
            keep: An earlier result of this pipeline: photos and prompts that did not change are not
                encoded again.
            path: "exact" computes as published, "fast" equal up to rounding.

        Raises:
            UserError: Photo or prompt is missing or of no use, more than one kind of prompt is
                given, or a strength is asked of a network that does not know the unedited head.
        """
        check_whole("face", face, 1, MOST_FACES)
        self._check_strength(strength)
        asked = self._prompt(prompt, reference, style, keep)
        seconds: dict[str, float] = {}
        started = time.monotonic()
        image, aligned = self._photo(photo, face, keep)
        if photo is not None:
            seconds["align"] = time.monotonic() - started
        started = time.monotonic()
        if keep is not None and torch.equal(image, keep.photo):
            features = keep.features
        else:
            features = self._encoder(path).photo_features(image)
            seconds["photo"] = time.monotonic() - started
        tokens = self._timed_tokens(asked, keep, path, seconds)
        return self._edited(image, aligned, asked, features, tokens, strength, path, seconds)

    @checked
    @torch.no_grad()
    def batch(
        self,
        photos: Sequence[Any],
        prompt: str | None = None,
        *,
        reference: Any = None,
        style: EditStyle | str | Path | None = None,
        strength: float = 1.0,
        path: RenderPath = "fast",
    ) -> list[Edited]:
        """Edit several photos alike; they pass the encoder together, the prompt once.

        Args:
            photos: Each as in a call.
            prompt, reference, style, strength, path: As in a call.

        Raises:
            UserError: As in a call; there is no photo, or more than 256.
        """
        check_whole("photos", len(photos), 1, _MOST_PHOTOS)
        self._check_strength(strength)
        asked = self._prompt(prompt, reference, style, None)
        found = [self._photo(photo, 1, None) for photo in photos]
        together = self._encoder(path).photo_features(torch.cat([image for image, _ in found]))
        tokens = self._timed_tokens(asked, None, path, {})
        return [
            self._edited(image, aligned, asked, together[index], tokens, strength, path, {})
            for index, (image, aligned) in enumerate(found)
        ]

    def _edited(
        self,
        image: Tensor,
        aligned: AlignedPhoto | None,
        asked: Prompt,
        features: PhotoFeatures,
        tokens: Tensor | None,
        strength: float,
        path: RenderPath,
        seconds: dict[str, float],
    ) -> Edited:
        started = time.monotonic()
        encoder = self._encoder(path, asked.style)
        planes = encoder.planes(features, tokens)
        if strength != 1:
            planes = torch.lerp(encoder.unedited_planes(features), planes, strength)
        seconds["planes"] = time.monotonic() - started
        record = provenance_of(
            "edit",
            self.name,
            self.hashes,
            **asked.record(),
            strength=strength,
            photo=Prompt(picture=image, name="aligned").record()["reference"],
            path=path,
        )
        portrait = self.network.portrait(planes, record)
        notes = asked.notes + (aligned.notes if aligned is not None else ())
        return Edited(portrait, image, aligned, asked, features, tokens, strength, notes, seconds)

    def _check_strength(self, strength: float) -> None:
        check_range("strength", strength, 0.0, 1.0)
        if strength != 1 and not (self.takes_prompts and self.network.encoder.knows_unedited):
            raise UserError(
                f"strength: got {strength:g}; {self.name} does not know the unedited head; "
                "expected 1, or give the base that it was trained over"
            )

    def _prompt(
        self,
        words: str | None,
        reference: Any,
        style: EditStyle | str | Path | None,
        keep: Edited | None,
    ) -> Prompt:
        size = self.network.config.encoder.image_size
        asked = Prompt.of(words, reference, size, style, align=self.align, matting=self.matting)
        if not self.takes_prompts:
            if not asked.asks_nothing:
                raise UserError(f"{self.name} takes no prompt; it turns a photo into a portrait")
            return asked if keep is None else keep.prompt
        if asked.asks_nothing:
            if keep is None:
                raise UserError("no prompt: say in words what the head becomes, or give a picture")
            return keep.prompt
        if asked.style is not None:
            asked.style.check_model(self.name, self.hashes.get(_KIND, ""))
        if asked.words is not None:
            if self.words is None:
                raise UserError(f"{self.name} takes no words; give a reference picture instead")
            asked = replace(asked, notes=tuple(self.words.notes_for(asked.words)))
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
        return photo_input(photo, size, device, face=face, align=self.align, matting=self.matting)

    def _timed_tokens(
        self, asked: Prompt, keep: Edited | None, path: RenderPath, seconds: dict[str, float]
    ) -> Tensor | None:
        if keep is not None and asked is keep.prompt:
            return keep.tokens
        started = time.monotonic()
        tokens = self._tokens(asked, self._encoder(path))
        seconds["prompt"] = time.monotonic() - started
        return tokens

    def _tokens(self, asked: Prompt, encoder: TriplaneEncoder) -> Tensor | None:
        config = self.network.config.encoder.prompt
        if config is None:
            return None
        if asked.style is not None:
            return asked.style.tokens.to(device_of(self.network))
        if asked.picture is not None:
            picture = asked.picture.to(device_of(self.network))
            return encoder.reference_tokens(reference_input(picture, config))
        assert asked.words is not None
        assert self.words is not None
        return self.network.text_tokens(self.words.prompt(asked.words))

    def _encoder(self, path: RenderPath, style: EditStyle | None = None) -> TriplaneEncoder:
        """Return the encoder of a path, with a learned edit or without; it is prepared once."""
        key = (path, style.sha256 if style is not None else "")
        if key not in self._fast:
            encoder = self.network.encoder
            if style is not None:
                encoder = style.applied_to(encoder)
            dtype = self._dtype if path == "fast" else None
            self._fast[key] = fast_encoder(encoder, path, dtype=dtype)
        return self._fast[key]
