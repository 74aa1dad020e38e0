"""`triptych evaluate`: measure a model and write a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from triptych.cli.evaluate_inversion import Inversion
from triptych.cli.options import MaybeFloat, MaybeInt, MaybePath, parse_seeds
from triptych.runs import console

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
    model: str = "avatar-generator"
    """Generator: a name from `triptych models`, or a file."""
    pack: MaybePath = None
    """Head asset pack; see triptych data makehuman."""
    overwrite: bool = False
    """Replace an earlier report in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.avatars.sets.true_heads import AvatarHeads
        from triptych.cli import evaluation_models as models
        from triptych.cli.evaluation_sheets import save_prior_sheet
        from triptych.runs.record import model_record
        from triptych.systems.generate.evaluation import PriorSettings, measure_prior
        from triptych.weights import load_generator

        settings = PriorSettings(count=self.count, views=self.views, first_seed=self.seed)
        models.open_report_folder(self.out, "prior", overwrite=self.overwrite)
        networks, heads = models.load_style_networks(), AvatarHeads(self.pack)
        generator = load_generator(self.model)
        hashes = {self.model: model_record(self.model, "generator")["sha256"], **networks.hashes}
        with console.stages() as progress:
            steps = models.counted(progress, "heads", settings.count)
            findings = measure_prior(
                generator,
                heads,
                networks.distance,
                networks.identity,
                settings,
                models=hashes,
                step=steps,
            )
        models.publish(
            findings.report,
            self.out,
            lambda path: save_prior_sheet(path, findings.pictures, self.seed),
        )


@dataclass(frozen=True)
class Editor:
    """Compare an image editor's work with the avatars truly in the asked styles.

    Groups of finished heads stay in OUT/groups; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for editor.json, editor.md and the sheet editor.png."""
    heads: int = 300
    """Number of heads."""
    styles: tuple[str, ...] = ()
    """Styles to ask for; all that the judge knows by default."""
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
    """Head asset pack; see triptych data makehuman."""
    overwrite: bool = False
    """Replace an earlier report in the folder; finished groups are kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.avatars.sets.true_heads import AvatarHeads
        from triptych.avatars.styles.catalogue import style_named
        from triptych.avatars.styles.phrases import sample_phrase
        from triptych.cli import evaluation_models as models
        from triptych.cli.evaluation_sheets import save_editor_sheet
        from triptych.systems.stylize.editor_evaluation import measure_editor, num_edits
        from triptych.systems.stylize.editor_evaluation_groups import EditorSettings

        settings = EditorSettings(
            heads=self.heads,
            first_seed=self.seed,
            styles_per_head=self.styles_per_head,
            num_steps=self.steps,
            text_guidance=self.text_guidance,
        )
        models.open_report_folder(self.out, "editor", overwrite=self.overwrite)
        # Styles come in turn for all heads of a group: as they are, and as statues.
        heads = AvatarHeads(self.pack, kept_heads=2 * settings.heads_per_group)
        networks = models.load_style_networks()
        styles = models.known_styles(self.styles, networks.classifier)
        editor, hashes = models.load_editor(self.editor)
        groups = self.out / "groups"
        groups.mkdir(exist_ok=True)
        with console.stages() as progress:
            findings = measure_editor(
                editor,
                heads,
                networks,
                {style: style_named(style).kind for style in styles},
                lambda style, rng: sample_phrase([style], rng),
                settings,
                models={**hashes, **networks.hashes},
                folder=groups,
                step=models.counted(progress, "edits", num_edits(settings, len(styles))),
            )
        models.publish(
            findings.report, self.out, lambda path: save_editor_sheet(path, findings.pictures)
        )


@dataclass(frozen=True)
class Stylize:
    """Stylise heads, or take finished runs, and have the results judged from five angles.

    Runs stay in OUT/runs; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for stylize.json, stylize.md, the sheet stylize.png and the runs."""
    styles: tuple[str, ...] = TWELVE_STYLES
    """Styles to ask for."""
    identities: str = "0-2"
    """Seeds of the heads: 3, or 0-2, or 1,4,9."""
    runs: tuple[Path, ...] = ()
    """Folders of finished runs to judge instead."""
    quality: str = "standard"
    """draft, standard or high."""
    set: tuple[str, ...] = ()
    """Single settings of the runs as KEY=VALUE."""
    model: str = "avatar"
    """avatar, or a folder with generator, i2t, features and editor."""
    overwrite: bool = False
    """Replace an earlier report in the folder; finished runs are kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.cli import evaluation_models as models
        from triptych.cli.evaluation_sheets import save_stylize_sheet
        from triptych.config import to_dict
        from triptych.systems.stylize.evaluation import EvaluationSettings, evaluate, stylize_report
        from triptych.systems.stylize.evaluation_heads import (
            StylisedHead,
            stylise_or_read,
        )

        settings = models.stylize_settings(self.quality, self.set)
        identities, judging = parse_seeds(self.identities), EvaluationSettings()
        models.open_report_folder(self.out, "stylize", overwrite=self.overwrite)
        networks = models.load_style_networks()
        pipeline = models.load_pipeline(self.model)
        verdicts = []
        with console.stages() as progress:
            if self.runs:
                for done, folder in enumerate(self.runs):
                    progress("runs", done, len(self.runs))
                    head = StylisedHead.from_run(folder, pipeline.subject)
                    verdicts.append(evaluate(head, networks.classifier, networks.identity, judging))
            else:
                styles = models.known_styles(self.styles, networks.classifier)
                pairs = [(style, identity) for style in styles for identity in identities]
                for done, (style, identity) in enumerate(pairs):
                    progress("heads", done, len(pairs))
                    head = stylise_or_read(
                        pipeline,
                        style,
                        identity,
                        settings,
                        models.run_folder(self.out, style, identity),
                        prompt=models.plain_prompt(style),
                        progress=progress,
                    )
                    verdicts.append(evaluate(head, networks.classifier, networks.identity, judging))
        report = stylize_report(
            verdicts,
            judging,
            run_settings=to_dict(settings) if not self.runs else {"runs": [*map(str, self.runs)]},
            models={**pipeline.hashes, **networks.hashes},
        )
        models.publish(report, self.out, lambda path: save_stylize_sheet(path, verdicts))


@dataclass(frozen=True)
class Ablation:
    """FF3D's ablation: the same edited views fitted with and without parts of the method.

    Runs stay in OUT/runs; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for ablation.json, ablation.md, the sheet ablation.png and the runs."""
    styles: tuple[str, ...] = FOUR_STYLES
    """Styles to ask for."""
    identities: str = "0-1"
    """Seeds of the heads: 3, or 0-2, or 1,4,9."""
    quality: str = "standard"
    """draft, standard or high."""
    set: tuple[str, ...] = ()
    """Single settings of the runs as KEY=VALUE."""
    model: str = "avatar"
    """avatar, or a folder with generator, i2t, features and editor."""
    pack: MaybePath = None
    """Head asset pack for the distance to the true style; left out when there is none."""
    overwrite: bool = False
    """Replace an earlier report in the folder; finished fits are kept."""

    def run(self) -> None:
        """Do the work."""
        from triptych.cli import evaluation_models as models
        from triptych.cli.evaluation_sheets import save_ablation_sheet
        from triptych.config import to_dict
        from triptych.systems.stylize import ablation as ablation

        settings = models.stylize_settings(self.quality, self.set)
        identities, looking = parse_seeds(self.identities), ablation.AblationSettings()
        models.open_report_folder(self.out, "ablation", overwrite=self.overwrite)
        networks, truth = models.load_style_networks(), models.truth_if_present(self.pack)
        styles = models.known_styles(self.styles, networks.classifier)
        pipeline = models.load_pipeline(self.model)
        scores, fronts = [], []
        pairs = [(style, identity) for style in styles for identity in identities]
        with console.stages() as progress:
            for done, (style, identity) in enumerate(pairs):
                progress("heads", done, len(pairs))
                heads = ablation.fit_variants(
                    pipeline,
                    style,
                    identity,
                    settings,
                    models.run_folder(self.out, style, identity),
                    prompt=models.plain_prompt(style),
                    progress=progress,
                )
                for variant, head in heads.items():
                    scores.append(
                        ablation.score_variant(
                            variant, head, networks.classifier, networks.distance, truth, looking
                        )
                    )
                variants = [head.portrait.render().image[0] for head in heads.values()]
                fronts.append([heads["full"].edited[0], *variants])
        report = ablation.ablation_report(
            scores,
            looking,
            run_settings=to_dict(settings),
            models={**pipeline.hashes, **networks.hashes},
        )
        models.publish(report, self.out, lambda path: save_ablation_sheet(path, fronts, scores))


@dataclass(frozen=True)
class Evaluate:
    """Measure a model and write a report: figures as JSON and as a table, and a sheet."""

    command: tyro.conf.OmitSubcommandPrefixes[
        Annotated[Prior, tyro.conf.subcommand("prior")]
        | Annotated[Editor, tyro.conf.subcommand("editor")]
        | Annotated[Stylize, tyro.conf.subcommand("stylize")]
        | Annotated[Ablation, tyro.conf.subcommand("ablation")]
        | Annotated[Inversion, tyro.conf.subcommand("inversion")]
    ]

    def run(self) -> None:
        """Do the work of the chosen command."""
        self.command.run()
