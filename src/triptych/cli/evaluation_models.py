"""What evaluations need beside the model they measure: judges, truth, hashes, a place to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from triptych.errors import UserError
from triptych.files import make_writable_folder, sha256_of

if TYPE_CHECKING:
    from triptych.avatars.sets.true_heads import AvatarHeads
    from triptych.editors.image_editor import ImageEditor
    from triptych.metrics.metric_networks import StyleNetworks
    from triptych.metrics.style_classifier import StyleClassifier
    from triptych.runs.report_file import Report
    from triptych.systems.stylize.pipeline import StylizePipeline
    from triptych.systems.stylize.settings import StylizeSettings
    from triptych.systems.stylize.views import Progress

FEATURES, JUDGE = "avatar-features", "avatar-classifier"


def load_style_networks() -> StyleNetworks:
    """Load the independent judge and the perceptual distance."""
    from triptych.metrics.identity import AvatarIdentity
    from triptych.metrics.metric_networks import StyleNetworks
    from triptych.metrics.perceptual import AvatarPerceptualDistance
    from triptych.metrics.style_classifier import AvatarStyleClassifier
    from triptych.runs.record import model_record
    from triptych.weights import load_features

    evaluate = load_features(JUDGE)
    return StyleNetworks(
        AvatarStyleClassifier(evaluate),
        AvatarIdentity(evaluate),
        AvatarPerceptualDistance(load_features(FEATURES)),
        {name: model_record(name, "features")["sha256"] for name in (FEATURES, JUDGE)},
    )


def truth_if_present(pack: Path | None) -> AvatarHeads | None:
    """Return the avatars' renderer; None when no pack was asked for and none is here."""
    from triptych.avatars.sets.true_heads import AvatarHeads

    try:
        return AvatarHeads(pack)
    except UserError:
        if pack is not None:
            raise
        return None


def load_editor(name_or_folder: str) -> tuple[ImageEditor, dict[str, str]]:
    """Return an editor by registry name or folder, and its hash."""
    from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
    from triptych.runs.record import model_record
    from triptych.weights.registry import MODELS, find_present

    if name_or_folder not in MODELS and Path(name_or_folder).is_dir():
        editor = InstructPix2PixEditor.from_pretrained(name_or_folder)
        return editor, {name_or_folder: sha256_of(name_or_folder)}
    editor = InstructPix2PixEditor.from_pretrained(
        find_present(name_or_folder, "editor"), name=name_or_folder
    )
    record = model_record(name_or_folder, "editor")
    return editor, {record["name"]: record["sha256"]}


def load_pipeline(model: str) -> StylizePipeline:
    """Return the stylize pipeline of "avatar" or of a folder of models."""
    from triptych.systems.stylize.pipeline import StylizePipeline

    return StylizePipeline.from_pretrained(model)


def known_styles(asked: Sequence[str], classifier: StyleClassifier) -> list[str]:
    """Return the styles asked for, or all; every one must be known to the judge.

    Raises:
        UserError: A style is unknown.
    """
    from triptych.avatars.styles.catalogue import STYLES, style_named
    from triptych.metrics.style_classifier import style_index

    chosen = list(asked) or [name for name in STYLES if name in classifier.names]
    for style in chosen:
        style_named(style)
        style_index(classifier, style)
    return chosen


def plain_prompt(style: str) -> str:
    """Return the plainest words for a style: "a bronze statue"."""
    from triptych.avatars.styles.phrases import phrases_for

    return phrases_for(style)[0]


def open_report_folder(folder: Path, name: str, *, overwrite: bool) -> None:
    """Make the folder of a report and see that nothing in it would be lost.

    Raises:
        UserError: The folder cannot be written or holds such a report.
    """
    if (folder / f"{name}.json").exists() and not overwrite:
        raise UserError(
            f"{folder} holds a report '{name}' already; choose another folder or add --overwrite"
        )
    make_writable_folder(folder)


def stylize_settings(quality: str, changes: tuple[str, ...]) -> StylizeSettings:
    """Return a quality's settings with single ones changed by KEY=VALUE texts."""
    from triptych.cli.options import parse_key_values
    from triptych.config import from_dict, to_dict
    from triptych.systems.stylize.settings import StylizeSettings, preset

    return from_dict(StylizeSettings, to_dict(preset(quality)) | parse_key_values(changes))


def run_folder(out: Path, style: str, identity: int) -> Path:
    """Return where an evaluation keeps the run of one style and head."""
    return out / "runs" / f"{style.replace(' ', '-')}-{identity:05d}"


def counted(progress: Progress, stage: str, total: int) -> Callable[..., None]:
    """Return a function that counts the steps of a stage."""
    done = 0
    progress(stage, done, total)

    def step(*_: object) -> None:
        nonlocal done
        done += 1
        progress(stage, done, total)

    return step


def publish(report: Report, folder: Path, save_sheet: Callable[[Path], None]) -> None:
    """Write a report and its sheet, and show its figures."""
    from triptych.runs import console
    from triptych.runs.report_file import write_report

    save_sheet(folder / f"{report.name}.png")
    json_path, _ = write_report(report, folder)
    shown = [(name, _text(value)) for name, value in report.summary.items()]
    console.table(("measure", "value"), shown)
    console.result(str(json_path))


def _text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
