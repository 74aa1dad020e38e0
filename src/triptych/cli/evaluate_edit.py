"""`triptych evaluate edit`: edits beside what else a photo and a prompt can become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from triptych.cli.options import (
    DeviceName,
    KeyValues,
    MaybeInt,
    MaybeNames,
    MaybePath,
    parse_key_values,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from triptych.portrait import Portrait


@dataclass(frozen=True)
class EditQuality:
    """Edit avatars never trained on and compare with avatars rendered in the requested styles.

    Beside 3DPE by words and by reference stand the unedited head, the image editor alone, the
    editor followed by the base, edits learned for styles held out of training, and, for a few
    heads, triptych stylize. What is measured stays in OUT/heads, learned edits in OUT/edits; a
    stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for edit.json, edit.md, the plot and the sheet edit.png."""
    heads: int = 60
    """Number of heads."""
    styles: MaybeNames = ()
    """Styles to request; all that the classifier knows by default."""
    styles_per_head: MaybeInt = 8
    """Ask each head for this many styles in turn."""
    held_out: MaybeNames = ()
    """Styles that the model was not trained with: an edit is learned for each."""
    pairs: int = 10
    """Pairs that such an edit is learned from, 1 to 10."""
    marks: tuple[float, ...] = (10.0, 60.0)
    """Seconds after which learned edits are measured."""
    stylized_heads: int = 0
    """Number of heads that triptych stylize edits too; minutes for each style."""
    stylize_quality: Literal["draft", "standard", "high"] = "draft"
    """Quality of those runs."""
    seed: int = 0
    """Seed of the first head; seeds below 9000 are never trained on."""
    model: str = "avatar"
    """avatar, a name from `triptych models`, or a file."""
    editor: str = "avatar-editor"
    """Image editor to compare with: a name, a folder, or none."""
    set: KeyValues = ()
    """Individual settings of the learning as KEY=VALUE, for instance rank=8."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; what was measured is kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.config import from_dict, to_dict
        from triptych.errors import check_range
        from triptych.runs.device import choose_device
        from triptych.systems.edit.adaptation.learning import AdaptationSettings
        from triptych.systems.edit.evaluation.job import evaluate_edit
        from triptych.systems.edit.evaluation.settings import EditEvaluation

        check_range("--stylized-heads", self.stylized_heads, 0, 8000)
        values = {**to_dict(AdaptationSettings()), **parse_key_values(self.set)}
        evaluation = EditEvaluation(
            heads=self.heads,
            first_seed=self.seed,
            styles=self.styles,
            styles_per_head=self.styles_per_head,
            held_out=self.held_out,
            pairs=self.pairs,
            marks=self.marks,
            adaptation=from_dict(AdaptationSettings, values),
        )
        device = choose_device(self.device)
        seeds = range(self.seed, self.seed + self.stylized_heads)
        quality = self.stylize_quality
        evaluate_edit(
            self.model,
            evaluation,
            self.out,
            editor=None if self.editor == "none" else self.editor,
            load_rival=(lambda: _Stylize(seeds, quality, device)) if seeds else None,
            pack=self.pack,
            device=device,
            overwrite=self.overwrite,
        )


class _Stylize:
    """What `triptych stylize` makes of the generator's head of the same seed, for a few heads."""

    def __init__(self, seeds: range, quality: str, device: torch.device) -> None:
        from triptych.systems.stylize.pipeline import StylizePipeline
        from triptych.systems.stylize.settings import preset

        self._pipeline = StylizePipeline.from_pretrained("avatar", device=device)
        self._seeds, self._settings = seeds, preset(quality)

    def plan(self) -> dict[str, Any]:
        """Return what decides the portraits, as JSON values."""
        from triptych.config import to_dict

        return {"settings": to_dict(self._settings), "seeds": list(self._seeds)}

    def __call__(self, photo: Tensor, seed: int, phrase: str) -> Mapping[str, Portrait]:
        """Stylise the head of a seed; other heads are left out."""
        if seed not in self._seeds:
            return {}
        import torch

        with torch.enable_grad():
            found = self._pipeline(phrase, identity=seed, settings=self._settings)
        return {"FF3D": found.portrait}
