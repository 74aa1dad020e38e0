"""Heads that an editor is measured on together: which ones, what was found, kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.metrics.detail import DETAIL_MEASURES
from triptych.ops.colour import from_uint8, to_uint8
from triptych.seeds import check_seeds_from
from triptych.weights.safetensors_file import FileHeader, load_tensors, save_tensors

MEASURES = (
    "psnr",
    "perceptual",
    "recognised",
    "identity kept",
    "source psnr",
    "truth recognised",
    "truth kept",
)
FIGURES = (*MEASURES, *DETAIL_MEASURES)
"""All that is kept of every edit."""
_CLASS_NAME = "EditorGroup"


@dataclass(frozen=True)
class EditorSettings:
    """Which heads and styles are edited.

    Attributes:
        heads: Number of heads.
        first_seed: Seed of the first head; seeds below 10,000 are never trained on.
        styles_per_head: How many of the styles each head is asked for, in turn; all when None.
        heads_per_group: Heads edited together, with one phrase per style.
        num_steps: Steps of the editor's schedule; the editor's own when None.
        text_guidance: Strength of the prompt; the editor's own when None.
        noise_seed: Seed of the noise and of the phrases.
        yaw_range: Largest yaw in radians.
        pitch_range: Largest pitch in radians.
        pictured: Groups of which the first head is shown on the sheet.
    """

    heads: int = 300
    first_seed: int = 0
    styles_per_head: int | None = None
    heads_per_group: int = 12
    num_steps: int | None = None
    text_guidance: float | None = None
    noise_seed: int = 0
    yaw_range: float = 0.5
    pitch_range: float = 0.3
    pictured: int = 4

    def __post_init__(self) -> None:
        if self.heads < 2 or self.heads_per_group < 2:
            raise UserError(
                f"heads and heads per group: got {self.heads} and {self.heads_per_group}; expected "
                "2 or more, because identity is compared with another head's"
            )
        check_seeds_from("first_seed", self.first_seed, self.heads)

    def seeds_of_groups(self) -> list[list[int]]:
        """Split the seeds into groups of at least two heads."""
        seeds = list(range(self.first_seed, self.first_seed + self.heads))
        width = self.heads_per_group
        groups = [seeds[start : start + width] for start in range(0, len(seeds), width)]
        if len(groups[-1]) == 1:
            groups[-2:] = [groups[-2] + groups[-1]]
        return groups

    def styles_of_group(self, styles: Sequence[str], group: int) -> tuple[str, ...]:
        """Return the styles that a group of heads is asked for; groups take turns."""
        count = self.styles_per_head
        if count is None or count >= len(styles):
            return tuple(styles)
        return tuple(styles[(group * count + offset) % len(styles)] for offset in range(count))

    def question(
        self, seeds: Sequence[int], styles: Sequence[str], models: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return everything that decides what is found of one group, as JSON values."""
        return {
            "seeds": list(seeds),
            "styles": list(styles),
            "num_steps": self.num_steps,
            "text_guidance": self.text_guidance,
            "noise_seed": self.noise_seed,
            "yaw_range": self.yaw_range,
            "pitch_range": self.pitch_range,
            "models": dict(models),
            "figures": list(FIGURES),
        }


@dataclass(frozen=True, eq=False)
class EditorGroup:
    """What was found of one group of heads.

    Attributes:
        question: What was asked; see `EditorSettings.question`.
        figures: Each of `FIGURES` of each style and head [styles, measures, heads].
        pictures: Source, edit and truth of the first head in each style [styles, 3, 3, h, h] in
            [-1, 1]; None for groups that are not on the sheet.
    """

    question: dict[str, Any]
    figures: Tensor
    pictures: Tensor | None = None

    @property
    def styles(self) -> list[str]:
        """The styles asked for, in the order of the figures."""
        return self.question["styles"]

    def of(self, style: str, measure: str) -> list[float]:
        """Return one figure of every head in a style."""
        row = self.figures[self.styles.index(style), FIGURES.index(measure)]
        return row.tolist()

    def save(self, folder: Path) -> None:
        """Keep the group in a folder that exists."""
        tensors = {"figures": self.figures}
        if self.pictures is not None:
            tensors["pictures"] = to_uint8(self.pictures.flatten(0, 1))
        header = FileHeader(_CLASS_NAME, config=self.question)
        save_tensors(_file_of(folder, self.question), tensors, header)

    @classmethod
    def load(
        cls, folder: Path, question: dict[str, Any], *, with_pictures: bool
    ) -> EditorGroup | None:
        """Return what was kept for a question; None when there is nothing.

        Raises:
            UserError: What is kept answers another question.
        """
        file = _file_of(folder, question)
        if not file.exists():
            return None
        tensors, header = load_tensors(file, _CLASS_NAME)
        if header.config != question:
            raise UserError(
                f"{file} was measured with other models or settings; choose another --out or "
                "remove it"
            )
        if not with_pictures:
            return cls(question, tensors["figures"])
        if "pictures" not in tensors:
            return None
        pictures = from_uint8(tensors["pictures"]).unflatten(0, (-1, 3))
        return cls(question, tensors["figures"], pictures)


def stacked_figures(values: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Return figures by measure [heads], one mapping per style, as [styles, measures, heads]."""
    return torch.stack([torch.stack([style[name].float() for name in FIGURES]) for style in values])


def _file_of(folder: Path, question: Mapping[str, Any]) -> Path:
    first, last = question["seeds"][0], question["seeds"][-1]
    return folder / f"heads-{first:05d}-{last:05d}.safetensors"
