"""`triptych evaluate adapt`: styles from examples, by every method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.options import DeviceName, KeyValues, MaybePath, changed, parse_key_values

if TYPE_CHECKING:
    import torch

    from triptych.portrait import TriPlanePortrait


@dataclass(frozen=True)
class AdaptStyles:
    """Learn styles from true pictures by several methods, and measure heads that wear them.

    Rows: unstyled heads, the published losses, the few-shot recipe, the instant encoder where it is
    there, fine-tuning of everything, and triptych stylize, which knows the style by its name.
    What is measured stays in OUT/heads; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for adapt.json, adapt.md, the sheet adapt.png and adapt-plot.png."""
    styles: tuple[str, ...] = ("jade", "goblin", "bronze", "pencil sketch")
    """Names of styles."""
    heads: int = 8
    """Heads that wear each style, 2 or more."""
    seed: int = 0
    """Seed of the first head."""
    examples: tuple[int, ...] = (1, 5, 10)
    """Examples of the few-shot rows; the other methods get the largest number."""
    unseen: int = 16
    """True pictures that the heads are compared with."""
    set: KeyValues = ()
    """Individual settings of the few-shot recipe as KEY=VALUE."""
    without_stylize: bool = False
    """Leave out triptych stylize, which takes minutes per head."""
    model: str = "avatar"
    """Generator of avatars: avatar, a name from `triptych models`, or a file."""
    styler: str = "avatar-styler"
    """The instant encoder: a name from `triptych models`, or a file."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; measured styles are kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.config import from_dict, to_dict
        from triptych.runs.device import choose_device
        from triptych.systems.adapt.evaluation.job import AdaptEvaluation, evaluate_adapt
        from triptych.systems.adapt.few_shot import FewShotSettings

        values = changed(to_dict(FewShotSettings()), parse_key_values(self.set))
        evaluation = AdaptEvaluation(
            styles=self.styles,
            heads=self.heads,
            first_seed=self.seed,
            counts=self.examples,
            unseen=self.unseen,
            settings=from_dict(FewShotSettings, values),
        )
        device = choose_device(self.device)
        evaluate_adapt(
            self.model,
            evaluation,
            self.out,
            styler=self.styler,
            load_rival=None if self.without_stylize else lambda: _Stylize(self.model, device),
            pack=self.pack,
            device=device,
            overwrite=self.overwrite,
        )


class _Stylize:
    """FF3D's stylize, which is told the style in words."""

    name = "stylize (FF3D)"

    def __init__(self, model: str, device: torch.device) -> None:
        from triptych.systems.stylize.pipeline import StylizePipeline
        from triptych.systems.stylize.settings import preset

        self._pipeline = StylizePipeline.from_pretrained(model, device=device)
        self._settings = preset("draft")

    def plan(self) -> Mapping[str, Any]:
        """Return what decides the heads, as JSON values."""
        from triptych.config import to_dict

        return {"settings": to_dict(self._settings), "hashes": self._pipeline.hashes}

    def __call__(self, style: str, seed: int) -> TriPlanePortrait:
        """Stylise the head of a seed."""
        import torch

        from triptych.avatars.styles.phrases import phrases_for

        with torch.enable_grad():
            found = self._pipeline(phrases_for(style)[0], identity=seed, settings=self._settings)
        return found.portrait
