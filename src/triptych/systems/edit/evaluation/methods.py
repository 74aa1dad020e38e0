"""What a photo and a style can become: the rows of the evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from triptych.editors.image_editor import EditRequest, ImageEditor
from triptych.ops.resize import resize_bilinear
from triptych.portrait import Portrait
from triptych.systems.edit.pipeline import EditPipeline
from triptych.systems.edit.prompt import middle_square
from triptych.systems.edit.style import EditStyle

UNEDITED, EDITOR, TWO_STEPS = "unedited", "image editor (2-D)", "editor, then base"
WORDS, REFERENCE = "3DPE, words", "3DPE, reference"


class Rival(Protocol):
    """Another way from a photo of a seed's head and words to a portrait."""

    def plan(self) -> Mapping[str, Any]:
        """Return what decides its portraits, as JSON values."""

    def __call__(self, photo: Tensor, seed: int, phrase: str) -> Mapping[str, Portrait]:
        """Return portraits by the names of their rows; none where it is left out."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One photo and one style.

    Attributes:
        photo: The head as it is [1, 3, s, s] in [-1, 1].
        reference: Another head truly in the style [1, 3, s, s].
        phrase: The style in words.
        style: Its name.
        seed: Of the head.
    """

    photo: Tensor
    reference: Tensor
    phrase: str
    style: str
    seed: int


@dataclass(frozen=True, eq=False)
class Answer:
    """What a method makes.

    Attributes:
        picture: From the photo's camera, where the method makes no portrait.
        portrait: The portrait.
        seconds: CPU seconds until it was there; None where they were not measured.
    """

    picture: Tensor | None = None
    portrait: Portrait | None = None
    seconds: float | None = None


def answers(
    pipeline: EditPipeline,
    editor: ImageEditor | None,
    asked: Asked,
    adapted: Mapping[str, Mapping[str, EditStyle]],
    rival: Rival | None,
) -> dict[str, Answer]:
    """Return what each method makes of a photo and a style, by the names of the rows.

    Args:
        pipeline: Edits.
        editor: Edits pictures; None leaves out what needs it.
        asked: Photo and style.
        adapted: Learned edits by style and by the name of their row.
        rival: Other methods.
    """
    found: dict[str, Answer] = {}
    encoder = pipeline.network.encoder
    photo = middle_square(asked.photo, pipeline.network.config.encoder.image_size)

    def unedited(picture: Tensor) -> Portrait:
        planes = encoder.unedited_planes(encoder.photo_features(picture))
        return pipeline.network.portrait(planes)

    if encoder.knows_unedited:
        found[UNEDITED] = _timed(lambda: unedited(photo))
    if editor is not None:
        started = time.process_time()
        size = editor.config.image_size
        picture = editor.edit(
            resize_bilinear(asked.photo, size, antialias=True), EditRequest(asked.phrase)
        )
        spent = time.process_time() - started
        found[EDITOR] = Answer(picture, None, spent)
        if encoder.knows_unedited:
            edited = middle_square(picture, photo.shape[-1])
            second = _timed(lambda: unedited(edited))
            found[TWO_STEPS] = Answer(None, second.portrait, spent + (second.seconds or 0.0))
    if pipeline.words is not None:
        found[WORDS] = _timed(lambda: pipeline(photo, asked.phrase).portrait)
    found[REFERENCE] = _timed(lambda: pipeline(photo, reference=asked.reference).portrait)
    for row, style in adapted.get(asked.style, {}).items():
        found[row] = _timed(lambda style=style: pipeline(photo, style=style).portrait)  # type: ignore[misc]
    if rival is not None:
        portraits = rival(asked.photo, asked.seed, asked.phrase)
        found |= {row: Answer(portrait=portrait) for row, portrait in portraits.items()}
    return found


@torch.no_grad()
def _timed(make: Callable[[], Portrait]) -> Answer:
    started = time.process_time()
    portrait = make()
    return Answer(None, portrait, time.process_time() - started)
