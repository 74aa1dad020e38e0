"""`triptych evaluate`: measure a model and write a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from triptych.cli.evaluate_adapt import AdaptStyles
from triptych.cli.evaluate_edit import EditQuality
from triptych.cli.evaluate_inversion import Inversion
from triptych.cli.evaluate_lift import LiftLikeness
from triptych.cli.options import (
    DeviceName,
    KeyValues,
    MaybeFloat,
    MaybeInt,
    MaybeNames,
    MaybePath,
    MaybePaths,
    parse_key_values,
    parse_seeds,
)

TWELVE_STYLES = (
    "bronze",
    "marble",
    "gold",
    "jade",
    "blue stone",
    "zombie",
    "vampire",
    "blue alien",
    "orc",
    "old",
    "pencil sketch",
    "oil painting",
)
FOUR_STYLES = ("bronze", "zombie", "blue alien", "pencil sketch")


@dataclass(frozen=True)
class Prior:
    """Compare a generator with the avatars' renders of heads it has never seen."""

    out: Path
    """Folder for prior.json, prior.md and the sheet prior.png."""
    count: int = 200
    """Number of heads."""
    views: int = 4
    """Cameras per head: the exact front, then random ones."""
    seed: int = 0
    """Seed of the first head; seeds below 10000 are never trained on."""
    refine: bool = False
    """Measure heads whose planes are fitted to their avatars, as `generate --refine` makes them."""
    model: str = "avatar-generator"
    """Generator: a name from `triptych models`, or a file."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.runs.device import choose_device
        from triptych.systems.generate.evaluation import PriorSettings, evaluate_prior

        settings = PriorSettings(
            count=self.count, views=self.views, first_seed=self.seed, refine=self.refine
        )
        evaluate_prior(
            self.model,
            settings,
            self.out,
            pack=self.pack,
            device=choose_device(self.device),
            overwrite=self.overwrite,
        )


@dataclass(frozen=True)
class Editor:
    """Compare an image editor's pictures with avatars rendered in the requested styles.

    Groups of finished heads stay in OUT/groups; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for editor.json, editor.md and the sheet editor.png."""
    heads: int = 300
    """Number of heads."""
    styles: MaybeNames = ()
    """Styles to request; all that the classifier knows by default."""
    styles_per_head: MaybeInt = None
    """Ask each group of heads for this many styles in turn; for all by default."""
    seed: int = 0
    """Seed of the first head; seeds below 10000 are never trained on."""
    editor: str = "avatar-editor"
    """Editor: a name from `triptych models`, or a folder in diffusers' format."""
    steps: MaybeInt = None
    """Steps of the noise schedule; the editor's own by default."""
    text_guidance: MaybeFloat = None
    """Strength of the prompt; the editor's own by default."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; finished groups are kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.runs.device import choose_device
        from triptych.systems.stylize.editor_evaluation import evaluate_editor
        from triptych.systems.stylize.editor_evaluation_groups import EditorSettings

        settings = EditorSettings(
            heads=self.heads,
            first_seed=self.seed,
            styles_per_head=self.styles_per_head,
            num_steps=self.steps,
            text_guidance=self.text_guidance,
        )
        evaluate_editor(
            self.editor,
            settings,
            self.out,
            styles=self.styles,
            pack=self.pack,
            device=choose_device(self.device),
            overwrite=self.overwrite,
        )


@dataclass(frozen=True)
class Stylize:
    """Stylise heads, or take finished runs, and measure the results from five angles.

    Runs stay in OUT/runs; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for stylize.json, stylize.md, the sheet stylize.png and the runs."""
    styles: tuple[str, ...] = TWELVE_STYLES
    """Styles to request."""
    identities: str = "0-2"
    """Seeds of the heads: 3, or 0-2, or 1,4,9."""
    runs: MaybePaths = ()
    """Folders of finished runs to measure instead."""
    quality: str = "standard"
    """draft, standard or high."""
    set: KeyValues = ()
    """Individual settings of the runs as KEY=VALUE."""
    model: str = "avatar"
    """avatar, or a folder with generator, i2t, features and editor."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; finished runs are kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.systems.stylize.settings import preset

        settings = preset(self.quality, parse_key_values(self.set))
        identities = parse_seeds(self.identities)
        from triptych.runs.device import choose_device
        from triptych.systems.stylize.evaluation import evaluate_styles

        evaluate_styles(
            self.model,
            self.styles,
            identities,
            settings,
            self.out,
            runs=self.runs,
            device=choose_device(self.device),
            overwrite=self.overwrite,
        )


@dataclass(frozen=True)
class Ablation:
    """FF3D's ablation: the same edited views fitted with and without parts of the method.

    Runs stay in OUT/runs; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for ablation.json, ablation.md, the sheet ablation.png and the runs."""
    styles: tuple[str, ...] = FOUR_STYLES
    """Styles to request."""
    identities: str = "0-1"
    """Seeds of the heads: 3, or 0-2, or 1,4,9."""
    quality: str = "standard"
    """draft, standard or high."""
    set: KeyValues = ()
    """Individual settings of the runs as KEY=VALUE."""
    model: str = "avatar"
    """avatar, or a folder with generator, i2t, features and editor."""
    pack: MaybePath = None
    """Head asset pack for the distance to the true style; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; finished fits are kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.systems.stylize.settings import preset

        settings = preset(self.quality, parse_key_values(self.set))
        identities = parse_seeds(self.identities)
        from triptych.runs.device import choose_device
        from triptych.systems.stylize.ablation import evaluate_ablation

        evaluate_ablation(
            self.model,
            self.styles,
            identities,
            settings,
            self.out,
            pack=self.pack,
            device=choose_device(self.device),
            overwrite=self.overwrite,
        )


@dataclass(frozen=True)
class Compose:
    """Measure a generator of regions: likeness to unseen avatars, swaps, surface, speed."""

    out: Path
    """Folder for compose.json, compose.md and the sheet compose.png."""
    count: int = 16
    """Number of heads."""
    views: int = 4
    """Cameras per head: the exact front, then random ones."""
    seed: int = 0
    """Seed of the first head; seeds below 10000 are never trained on."""
    model: str = "avatar"
    """Generator of regions: avatar, a name from `triptych models`, or a file."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.runs.device import choose_device
        from triptych.systems.compose.evaluation import ComposeSettings, evaluate_compose

        settings = ComposeSettings(count=self.count, views=self.views, first_seed=self.seed)
        evaluate_compose(
            self.model,
            settings,
            self.out,
            pack=self.pack,
            device=choose_device(self.device),
            overwrite=self.overwrite,
        )


@dataclass(frozen=True)
class Evaluate:
    """Measure a model and write a report: figures as JSON and as a table, and a sheet."""

    command: tyro.conf.OmitSubcommandPrefixes[
        Annotated[Prior, tyro.conf.subcommand("prior")]
        | Annotated[Editor, tyro.conf.subcommand("editor")]
        | Annotated[Stylize, tyro.conf.subcommand("stylize")]
        | Annotated[Ablation, tyro.conf.subcommand("ablation")]
        | Annotated[Compose, tyro.conf.subcommand("compose")]
        | Annotated[Inversion, tyro.conf.subcommand("inversion")]
        | Annotated[LiftLikeness, tyro.conf.subcommand("lift")]
        | Annotated[EditQuality, tyro.conf.subcommand("edit")]
        | Annotated[AdaptStyles, tyro.conf.subcommand("adapt")]
    ]

    def run(self) -> None:
        """Do the work of the chosen command."""
        self.command.run()
