"""How well an image editor turns a head into a style: against the avatar truly in that style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads, unseen_cameras
from triptych.avatars.styles.catalogue import style_named
from triptych.avatars.styles.phrases import sample_phrase
from triptych.camera import Camera
from triptych.editors.image_editor import EditRequest, ImageEditor
from triptych.editors.loading import editor_hash, load_editor
from triptych.export.sheets import save_image_rows
from triptych.metrics.detail import DETAIL_MEASURES, DETAIL_SIZE, detail_figures
from triptych.metrics.identity import identity_kept
from triptych.metrics.image_metrics import psnr
from triptych.metrics.metric_networks import StyleNetworks, load_style_networks
from triptych.metrics.style_classifier import style_recognised
from triptych.progress import Step, no_progress
from triptych.runs import console
from triptych.runs.detail_table import DETAIL_NOTE, DETAIL_TABLE, detail_table
from triptych.runs.report_file import (
    CPU,
    Cell,
    Report,
    Table,
    mean,
    publish,
    report_folder,
)
from triptych.systems.stylize.editor_evaluation_groups import (
    MEASURES,
    EditorGroup,
    EditorSettings,
    stacked_figures,
)
from triptych.systems.stylize.evaluation_heads import known_styles

PhraseOf = Callable[[str, np.random.Generator], str]


def evaluate_editor(
    editor: str,
    settings: EditorSettings,
    out: Path,
    *,
    styles: Sequence[str] = (),
    pack: Path | None = None,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Measure an editor and write editor.json, editor.md and the sheet editor.png.

    Groups of finished heads stay in OUT/groups; a stopped evaluation goes on where it was.

    Args:
        editor: Name from the registry, or a folder in diffusers' format.
        settings: Which heads and how they are edited.
        out: Folder of the report.
        styles: Styles to ask for; all that the classifier knows when empty.
        pack: Head asset pack; the default places when None.
        device: Where networks compute.
        overwrite: Replace an earlier report; finished groups are kept.

    Raises:
        UserError: The editor or the asset pack is missing, a style is unknown, or the folder holds
            such a report.
    """
    with report_folder(out, "editor", overwrite=overwrite):
        # Styles come in turn for all heads of a group: as they are, and as statues.
        heads = AvatarHeads(pack, 2 * settings.heads_per_group, device)
        networks = load_style_networks(device)
        styles = known_styles(styles, networks.classifier)
        groups = out / "groups"
        groups.mkdir(exist_ok=True)
        with console.progress("edits", num_edits(settings, len(styles))) as step:
            findings = measure_editor(
                load_editor(editor).to(device),
                heads,
                networks,
                {style: style_named(style).kind for style in styles},
                lambda style, rng: sample_phrase([style], rng),
                settings,
                models={editor: editor_hash(editor), **networks.hashes},
                folder=groups,
                step=step,
            )
        save_editor_sheet(out / "editor.png", findings.pictures)
        publish(findings.report, out, device)


def save_editor_sheet(path: Path, pictures: Sequence[tuple[str, Tensor, Tensor, Tensor]]) -> None:
    """Save triples of source, edit and truth, one row per style."""
    rows: dict[str, list[Tensor]] = {}
    for style, *triple in pictures:
        rows.setdefault(style, []).extend(triple)
    labels = [f"{style}: source, edit, truth" for style in rows]
    save_image_rows(path, list(rows.values()), labels)


@dataclass
class EditorFindings:
    """The report and what its sheet shows.

    Attributes:
        report: Figures.
        pictures: Rows of (style, source, edited, true) with pictures [3, h, h].
    """

    report: Report
    pictures: list[tuple[str, Tensor, Tensor, Tensor]]


def measure_editor(
    editor: ImageEditor,
    heads: TrueHeads,
    networks: StyleNetworks,
    kinds: dict[str, str],
    phrase_of: PhraseOf,
    settings: EditorSettings,
    *,
    models: dict[str, str] | None = None,
    folder: Path | None = None,
    step: Step = no_progress,
) -> EditorFindings:
    """Edit unseen heads into every style and compare with the truth.

    Args:
        editor: The editor.
        heads: The truth.
        networks: Classifier, identity encoder and perceptual distance.
        kinds: Kind of each style asked for ("material", "creature", "people", "picture").
        phrase_of: Draws a phrase that asks for a style.
        settings: How much.
        models: Hashes for the report.
        folder: Where finished groups of heads are kept, so that an interrupted measurement
            goes on; it must exist.
        step: Called after each group and style.

    Raises:
        UserError: The folder holds findings of other models or settings.
    """
    groups: list[EditorGroup] = []
    for number, seeds in enumerate(settings.seeds_of_groups()):
        question = settings.question(
            seeds, settings.styles_of_group(tuple(kinds), number), models or {}
        )
        pictured = number < settings.pictured
        group = folder and EditorGroup.load(folder, question, with_pictures=pictured)
        if group:
            for _ in group.styles:
                step()
        else:
            group = _measure_group(
                editor, heads, networks, phrase_of, settings, question, pictured, step
            )
            if folder:
                group.save(folder)
        groups.append(group)
    pictures = [
        (style, *triple)
        for group in groups
        if group.pictures is not None
        for style, triple in zip(group.styles, group.pictures, strict=True)
    ]
    return EditorFindings(_report(groups, kinds, settings, models or {}), pictures)


def num_edits(settings: EditorSettings, num_styles: int) -> int:
    """Return how often `measure_editor` calls its step."""
    per_group = min(settings.styles_per_head or num_styles, num_styles)
    return len(settings.seeds_of_groups()) * per_group


@torch.no_grad()
def _measure_group(
    editor: ImageEditor,
    heads: TrueHeads,
    networks: StyleNetworks,
    phrase_of: PhraseOf,
    settings: EditorSettings,
    question: dict[str, Any],
    pictured: bool,
    step: Step,
) -> EditorGroup:
    """Edit the heads of one group into each of its styles."""
    seeds: list[int] = question["seeds"]
    phrases = np.random.default_rng((settings.noise_seed, seeds[0]))
    size = editor.config.image_size
    cameras = [_camera(seed, settings) for seed in seeds]
    source = _true_pictures(heads, seeds, None, cameras, size)
    regions = torch.cat(
        [
            heads.views(seed, None, camera, DETAIL_SIZE).regions
            for seed, camera in zip(seeds, cameras, strict=True)
        ]
    )
    own = networks.identity.embed(source)
    other = own.roll(1, 0)
    found: list[dict[str, Tensor]] = []
    triples: list[Tensor] = []
    for style in question["styles"]:
        request = EditRequest(
            phrase_of(style, phrases),
            settings.noise_seed,
            num_steps=settings.num_steps,
            text_guidance=settings.text_guidance,
        )
        edited = editor.edit(source, request)
        true = _true_pictures(heads, seeds, style, cameras, size)
        sharp = _true_pictures(heads, seeds, style, cameras, DETAIL_SIZE)
        found.append(
            {
                **detail_figures(edited, sharp, regions, networks.distance),
                "psnr": psnr(edited, true),
                "perceptual": networks.distance(edited, true),
                "recognised": style_recognised(networks.classifier, edited, style),
                "identity kept": identity_kept(networks.identity.embed(edited), own, other),
                "source psnr": psnr(source, true),
                "truth recognised": style_recognised(networks.classifier, true, style),
                "truth kept": identity_kept(networks.identity.embed(true), own, other),
            }
        )
        triples.append(torch.stack([source[0], edited[0], true[0]]))
        step()
    pictures = torch.stack(triples).cpu() if pictured else None
    return EditorGroup(question, stacked_figures(found).cpu(), pictures)


def _camera(seed: int, settings: EditorSettings) -> Camera:
    return unseen_cameras(seed, 2, settings.yaw_range, settings.pitch_range)[1]


def _true_pictures(
    heads: TrueHeads, seeds: list[int], style: str | None, cameras: list[Camera], size: int
) -> Tensor:
    pairs = zip(seeds, cameras, strict=True)
    return torch.cat([heads.views(seed, style, camera, size).image for seed, camera in pairs])


def _report(
    groups: Sequence[EditorGroup],
    kinds: dict[str, str],
    settings: EditorSettings,
    models: dict[str, str],
) -> Report:
    asked = [style for style in kinds if any(style in group.styles for group in groups)]

    def values_of(styles: Sequence[str], measure: str) -> list[float]:
        return [
            value
            for style in styles
            for group in groups
            if style in group.styles
            for value in group.of(style, measure)
        ]

    def over(styles: Sequence[str], measure: str) -> float | None:
        return mean(values_of(styles, measure))

    rows: list[tuple[Cell, ...]] = [
        (style, kinds[style], *(over([style], measure) for measure in MEASURES)) for style in asked
    ]
    by_kind: list[tuple[Cell, ...]] = []
    for kind in dict.fromkeys(kinds[style] for style in asked):
        members = [style for style in asked if kinds[style] == kind]
        by_kind.append((kind, len(members), *(over(members, measure) for measure in MEASURES)))
    materials = [style for style in asked if kinds[style] == "material"]
    return Report(
        name="editor",
        title="The image editor on unseen heads",
        summary={
            "psnr over material styles": over(materials, "psnr"),
            "psnr over all styles": over(asked, "psnr"),
            "style recognised": over(asked, "recognised"),
            "style recognised in the true renders": over(asked, "truth recognised"),
            "identity nearer to the source": over(asked, "identity kept"),
            "identity nearer in the true renders": over(asked, "truth kept"),
            "perceptual": over(asked, "perceptual"),
            "gradient at 256 pixels": over(asked, "gradient"),
            "heads": settings.heads,
            "styles": len(asked),
            "edits": sum(len(group.question["seeds"]) * len(group.styles) for group in groups),
        },
        tables={
            DETAIL_TABLE: detail_table({name: values_of(asked, name) for name in DETAIL_MEASURES}),
            "By kind": Table(("kind", "styles", *MEASURES), tuple(by_kind)),
            "By style": Table(("style", "kind", *MEASURES), tuple(rows)),
        },
        settings=asdict(settings),
        models=models,
        notes=(
            "PSNR in dB against the avatar truly in the style, same camera. Source psnr: what "
            "leaving the picture unedited would give.",
            "Recognised: share of pictures in which the classifier's first answer is the asked "
            "style. Truth recognised: the same for the true renders, its ceiling.",
            "Identity kept: share of edits nearer to their source than to another source. Truth "
            "kept: the same for the true renders, its ceiling.",
            DETAIL_NOTE,
        ),
    )
