"""What a pipeline asks of an image editor, and the settings that belong to one editor."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from triptych.config import check_fields, to_dict
from triptych.errors import UserError, check_type, shown
from triptych.progress import CountProgress
from triptych.seeds import check_seed

if TYPE_CHECKING:
    from torch import Tensor

NoiseReading = Literal["skip", "rescale"]
TimestepSpacing = Literal["leading", "trailing", "linspace"]

FF3D_TEMPLATE = "turn the head into {}, realistic, detail, 8k, photorealistic"
FF3D_NEGATIVE_PROMPT = "unclear facial features, non-face objects, ugly, bad"


LONGEST_PROMPT = 1000
"""Characters; no editor's tokens reach that far."""

_REQUESTABLE = ("negative_prompt", "text_guidance", "image_guidance", "num_steps", "noise_level")


class EditorWarning(UserWarning):
    """Something in a request that an editor can carry out only in part."""


@dataclass(frozen=True)
class EditRequest:
    """One edit: the words, the seed, and where it departs from the editor's own settings.

    Attributes:
        prompt: What the head becomes ("a bronze statue") or a whole instruction ("make him old").
            The editor decorates it.
        seed: Seed of the one noise that all pictures share.
        negative_prompt: What to stay away from; the editor's own when None.
        text_guidance: How far to follow the prompt, 0 or more; the editor's own when None.
        image_guidance: How far to stay with the picture, 0 or more; the editor's own when None.
        num_steps: Steps of the whole noise schedule; the editor's own when None.
        noise_level: Part of the schedule that the pictures are noised to, in (0, 1]; 1 starts from
            pure noise; the editor's own when None.

    Raises:
        UserError: The prompt has no words or more than 1000 characters or is no text, or the seed
            or a guidance is out of range.
    """

    prompt: str
    seed: int = 0
    negative_prompt: str | None = None
    text_guidance: float | None = None
    image_guidance: float | None = None
    num_steps: int | None = None
    noise_level: float | None = None

    def __post_init__(self) -> None:
        check_type("prompt", self.prompt, str)
        _check_unicode("prompt", self.prompt)
        if not any(map(_says_something, self.prompt)):
            raise UserError(
                f"the prompt is empty: got {shown(self.prompt)}; say what the head becomes, for "
                'instance "a bronze statue"'
            )
        if len(self.prompt) > LONGEST_PROMPT:
            raise UserError(
                f"the prompt is too long: got {len(self.prompt)} characters; "
                f"expected at most {LONGEST_PROMPT}; shorten it"
            )
        check_seed("seed", self.seed)
        check_fields(self, text_guidance=(0, 1e6), image_guidance=(0, 1e6))
        _check_unicode("negative prompt", self.negative_prompt)

    def record(self) -> dict[str, Any]:
        """Return what was asked for, as JSON values; what is left to the editor is absent."""
        return {name: value for name, value in to_dict(self).items() if value is not None}


def _says_something(character: str) -> bool:
    """Say whether a character is a letter, a digit or a picture; marks of punctuation are none."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "So"


def _check_unicode(name: str, text: str | None) -> None:
    """See that a text can be encoded: bytes of other encodings come as lone surrogates."""
    if text is not None and any(unicodedata.category(character) == "Cs" for character in text):
        raise UserError(f"the {name} is no text: got {shown(text)}; expected UTF-8")


@runtime_checkable
class ImageEditor(Protocol):
    """Carries out a written instruction on pictures of heads.

    Attributes:
        config: The editor's own settings.
        name: What records call it.
    """

    config: EditorConfig
    name: str

    def edit(
        self, images: Tensor, request: EditRequest, *, progress: CountProgress | None = None
    ) -> Tensor:
        """Edit pictures, all with the same instruction and the same noise.

        Args:
            images: Pictures [v, 3, h, w] in [-1, 1].
            request: What is asked for.
            progress: Called with (work done, all work) now and then.

        Returns:
            Edited pictures [v, 3, h, w] in [-1, 1].

        Raises:
            UserError: The editor cannot carry out the request; see `check`.
        """

    def check(self, request: EditRequest) -> None:
        """Raise UserError when the editor cannot carry out a request, before any work is done.

        The prompt is too long for it or in a language that it was not trained with, or a number is
        out of its range.
        """

    def notes_for(self, request: EditRequest) -> list[str]:
        """Return what a person should know before this edit is run; nothing when all is well."""


@dataclass(frozen=True)
class EditorConfig:
    """An editor's own settings: they differ between a large model and a small one.

    Attributes:
        image_size: Side of the pictures the editor was trained on, in pixels.
        text_guidance: Default strength of the prompt.
        highest_text_guidance: Above this the result is known to burn; a note says so.
        image_guidance: Default strength of the source picture.
        num_steps: Default steps of the whole schedule.
        noise_level: Default start of the denoising (FF3D's tau).
        noise_reading: What tau means. "skip": skip the first part of the schedule, as image-to-
            image does (18 of 20 steps run at 0.9). "rescale": put all steps below tau times the
            schedule's length, as Instruct-NeRF2NeRF does.
        timestep_spacing: How the steps are spread over the schedule.
        prompt_template: Sentence with one {} for what the head becomes.
        negative_prompt: Default text of the two branches without the prompt.
        max_prompt_tokens: Longest decorated prompt in tokens, begin and end included.
        vocabulary: Words that the editor was trained with; None when it knows language at large.
        known_styles: What to name to a person who used other words.
    """

    image_size: int = 512
    text_guidance: float = 20.0
    highest_text_guidance: float | None = None
    image_guidance: float = 1.5
    num_steps: int = 20
    noise_level: float = 0.9
    noise_reading: NoiseReading = "skip"
    timestep_spacing: TimestepSpacing = "leading"
    prompt_template: str = FF3D_TEMPLATE
    negative_prompt: str = FF3D_NEGATIVE_PROMPT
    max_prompt_tokens: int = 77
    vocabulary: tuple[str, ...] | None = None
    known_styles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(
            self,
            image_size=(8, 2048),
            text_guidance=(0, 1e6),
            highest_text_guidance=(0, 1e6),
            image_guidance=(0, 1e6),
            num_steps=(1, 1000),
            noise_level=(0, 1),
            max_prompt_tokens=(3, 4096),
        )
        if self.prompt_template.count("{}") != 1:
            raise UserError(
                f"prompt_template: got {shown(self.prompt_template)}; expected exactly one {{}} "
                "where the prompt goes"
            )

    def for_request(self, request: EditRequest) -> EditorConfig:
        """Return these settings with what a request says in place of the defaults."""
        asked = {name: value for name, value in request.record().items() if name in _REQUESTABLE}
        return replace(self, **asked)


def official_editor_config() -> EditorConfig:
    """Return FF3D's settings for `timbrooks/instruct-pix2pix`."""
    return EditorConfig()


def embedded_editor_config(
    image_size: int,
    *,
    max_prompt_tokens: int,
    vocabulary: tuple[str, ...],
    known_styles: tuple[str, ...],
) -> EditorConfig:
    """Return the settings of a small editor trained on avatars.

    Each step of a small model adds errors of its own, and guidance enlarges them: two steps and
    mild guidance come nearest to the true style (docs/training.md). The paper's 20 steps at a
    guidance of 20 destroy its pictures. Two steps cannot skip a tenth of the schedule, so it is
    rescaled.
    """
    return EditorConfig(
        image_size=image_size,
        text_guidance=1.25,
        highest_text_guidance=3.0,
        image_guidance=1.0,
        num_steps=2,
        noise_reading="rescale",
        timestep_spacing="trailing",
        max_prompt_tokens=max_prompt_tokens,
        vocabulary=vocabulary,
        known_styles=known_styles,
    )
