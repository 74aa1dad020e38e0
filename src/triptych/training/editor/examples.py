"""Evaluation of the editor in training: edits of held-out heads beside the ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.editors.image_editor import EditRequest, ImageEditor
from triptych.metrics.image_metrics import psnr, sharpness
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.training.sheets import save_sheet
from triptych.training.style_variants import (
    drawn_styles,
    kind_of,
    pictures_of,
    rendered_variants,
)

_SEED = 0
_COLUMNS, _BANDS = 12, 2


@dataclass(frozen=True)
class VariantExamples:
    """Edits to one variant with known results.

    Attributes:
        variant: The requested variant.
        prompt: The prompt.
        source: Plain heads [n,3,h,w] in [-1,1].
        truth: The same heads from the same cameras in that variant [n,3,h,w].
    """

    variant: str
    prompt: str
    source: Tensor
    truth: Tensor


class EditExamples:
    """Edits of held-out heads, spread over the styles.

    Args:
        shards: Held-out rendered heads with variants.
        per_variant: Maximum number of examples of each variant.
    """

    def __init__(self, shards: ShardSet, per_variant: int = 2) -> None:
        self.variants = _collect(shards, per_variant)

    @torch.no_grad()
    def measure(self, editor: ImageEditor) -> dict[str, float]:
        """Return means over the edits.

        `psnr` in dB, over all, by kind of style and without an edit; `perceptual`, the distance of
        the embedded features; `sharpness`, that of the edits relative to the truth.
        """
        by_kind: dict[str, list[Tensor]] = {}
        unedited, distances, sharp = [], [], []
        perceptual = AvatarPerceptualDistance.from_pretrained()
        for examples in self.variants:
            edited = _edit(editor, examples).clamp(-1, 1)
            by_kind.setdefault(kind_of(examples.variant), []).append(psnr(edited, examples.truth))
            unedited.append(psnr(examples.source, examples.truth))
            distances.append(perceptual(edited, examples.truth))
            sharp.append(sharpness(edited) / sharpness(examples.truth))
        groups = {f"psnr_{kind}": torch.cat(values) for kind, values in sorted(by_kind.items())}
        groups = {"psnr": torch.cat(list(groups.values())), **groups}
        groups["psnr_unedited"] = torch.cat(unedited)
        groups |= {"perceptual": torch.cat(distances), "sharpness": torch.cat(sharp)}
        return {name: round(float(values.mean()), 4) for name, values in groups.items()}

    def save_sheet(self, editor: ImageEditor, path: Path) -> None:
        """Save source, edit and truth below each other, one column per variant, in two bands."""
        step = -(-len(self.variants) // (_COLUMNS * _BANDS))
        shown = self.variants[::step]
        rows: list[Tensor] = []
        captions = [""] * min(_COLUMNS, len(shown))
        for first in range(0, len(shown), _COLUMNS):
            band = shown[first : first + _COLUMNS]
            edited = torch.cat([_edit(editor, examples)[:1] for examples in band])
            columns = [
                torch.stack([examples.source[0] for examples in band]),
                edited,
                torch.stack([examples.truth[0] for examples in band]),
            ]
            empty = len(captions) - len(band)
            rows += [
                torch.cat([row, torch.ones_like(row[:1]).repeat(empty, 1, 1, 1)]) for row in columns
            ]
            for column, examples in enumerate(band):
                captions[column] += f"{' / ' if captions[column] else ''}{examples.variant}"
        save_sheet(rows, path, captions)


def _edit(editor: ImageEditor, examples: VariantExamples) -> Tensor:
    return editor.edit(examples.source, EditRequest(examples.prompt, _SEED))


def _collect(shards: ShardSet, per_variant: int) -> list[VariantExamples]:
    from triptych.avatars.styles.phrases import phrases_for

    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    drawings = drawn_styles()
    for head in range(len(shards)):
        # Two drawings per head in turn, so that the heads of the examples differ.
        turn = [drawings[(2 * head + i) % len(drawings)] for i in range(2)]
        for variant in dict.fromkeys([*rendered_variants(shards, head)[1:], *turn]):
            pairs = found.setdefault(variant, [])
            if len(pairs) < per_variant and "+" not in variant:
                view = [(head + len(pairs)) % shards.num_views]
                source = pictures_of(shards, head, ORIGINAL, view)
                pairs.append((source, pictures_of(shards, head, variant, view)))
    examples = [
        VariantExamples(
            variant=variant,
            prompt=phrases_for(variant)[0],
            source=torch.cat([source for source, _ in pairs]),
            truth=torch.cat([truth for _, truth in pairs]),
        )
        for variant, pairs in found.items()
        if pairs
    ]
    return sorted(examples, key=lambda one: (kind_of(one.variant), one.variant))
