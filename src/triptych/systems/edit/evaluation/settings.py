"""What an evaluation of edits measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from triptych.avatars.styles.catalogue import STYLES, style_named
from triptych.config import check_fields
from triptych.errors import UserError
from triptych.metrics.style_classifier import StyleClassifier, style_index
from triptych.systems.edit.adaptation.learning import AdaptationSettings


@dataclass(frozen=True)
class EditEvaluation:
    """What is measured.

    Attributes:
        heads: Number of heads.
        first_seed: Seed of the first; seeds below 10,000 are never trained on.
        styles: Styles to ask for; all that the classifier knows when empty.
        styles_per_head: Styles of each head, in turn; all when None.
        held_out: Styles that the model was not trained with: an edit is learned for each.
        pairs: Pairs that it is learned from.
        marks: Seconds after which learned edits are measured.
        pictured: Heads that are shown on the sheet.
        adaptation: How edits are learned.

    Raises:
        UserError: A number is out of range.
    """

    heads: int = 60
    first_seed: int = 0
    styles: tuple[str, ...] = ()
    styles_per_head: int | None = 8
    held_out: tuple[str, ...] = ()
    pairs: int = 10
    marks: tuple[float, ...] = (10.0, 60.0)
    pictured: int = 8
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)

    def __post_init__(self) -> None:
        check_fields(
            self,
            heads=(1, 8_000),
            first_seed=(0, 8_999),
            styles_per_head=(1, 1000),
            pairs=(1, 10),
            marks=(0.0, 1e5),
            pictured=(0, 1000),
        )


def known_styles(evaluation: EditEvaluation, classifier: StyleClassifier) -> list[str]:
    """Return the styles that are asked for, those held out among them.

    Raises:
        UserError: One is unknown.
    """
    known = [name for name in STYLES if name in classifier.names]
    styles = list(dict.fromkeys([*(evaluation.styles or known), *evaluation.held_out]))
    for style in styles:
        style_named(style)
        style_index(classifier, style)
    if not styles:
        raise UserError("styles: got none; expected one or more")
    return styles


def styles_of(styles: Sequence[str], evaluation: EditEvaluation, number: int) -> list[str]:
    """Return the styles of a head: those held out, and others in turn."""
    others = [style for style in styles if style not in evaluation.held_out]
    count = min(evaluation.styles_per_head or len(others), len(others))
    start = number * count
    turn = [others[(start + place) % len(others)] for place in range(count)]
    return [*turn, *evaluation.held_out]
