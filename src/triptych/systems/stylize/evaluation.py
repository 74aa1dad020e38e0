"""How well a prompt becomes a 3D portrait: style recognised, views consistent, identity kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from triptych.config import to_dict
from triptych.export.sheets import save_image_rows
from triptych.metrics.identity import IdentityFeatures
from triptych.metrics.image_metrics import sharpness
from triptych.metrics.metric_networks import load_style_networks
from triptych.metrics.reprojection import PosedViews, view_consistency_error
from triptych.metrics.style_classifier import StyleClassifier, style_index
from triptych.ops.resize import resize
from triptych.portrait import View
from triptych.progress import Progress
from triptych.runs import console
from triptych.runs.report_file import (
    CPU,
    Cell,
    Report,
    Table,
    mean,
    publish,
    report_folder,
)
from triptych.systems.stylize.evaluation_heads import (
    StylisedHead,
    known_styles,
    plain_prompt,
    run_folder,
    stylise_or_read,
)
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.systems.stylize.settings import StylizeSettings


@dataclass(frozen=True)
class EvaluationSettings:
    """The cameras from which stylised heads are measured, and when a style counts.

    Attributes:
        angles: Cameras in a row from one side to the other.
        yaw_range: Yaw of the outermost, in radians.
        majority: Share of pictures that must be recognised for a style to count.
        consistency_views: Views, those nearest to eye level, whose agreement is measured.
    """

    angles: int = 5
    yaw_range: float = math.radians(30)
    majority: float = 0.5
    consistency_views: int = 20


@dataclass(frozen=True, eq=False)
class HeadScores:
    """What the metric networks find on one stylised head.

    Attributes:
        style: The style that was asked for.
        identity: Seed of the head.
        recognised: Whether each angle of the result is recognised.
        probability: The classifier's probability of the style at each angle.
        edited_recognised: The same for the edited view nearest to each angle.
        edited_probability: The classifier's probability for those.
        consistency: Re-projection error of the result.
        edited_consistency: Re-projection error of the edited views.
        sharpness: Mean step between neighbouring pixels of the result.
        edited_sharpness: The same of the edited views.
        identity_similarity: Cosine between the fronts of the result and of the unedited head.
        pictures: Unedited front, edited front, then the result at each angle [n, 3, h, h].
    """

    style: str
    identity: int
    recognised: tuple[bool, ...]
    probability: tuple[float, ...]
    edited_recognised: tuple[bool, ...]
    edited_probability: tuple[float, ...]
    consistency: float
    edited_consistency: float
    sharpness: float
    edited_sharpness: float
    identity_similarity: float
    pictures: Tensor = field(repr=False)


def evaluate_styles(
    model: str,
    styles: Sequence[str],
    identities: Sequence[int],
    settings: StylizeSettings,
    out: Path,
    *,
    runs: Sequence[Path] = (),
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Stylise heads, measure them and write stylize.json, stylize.md and the sheet stylize.png.

    Runs stay in OUT/runs; a stopped evaluation goes on where it was.

    Args:
        model: "avatar", or a folder of models.
        styles: Styles to ask for.
        identities: Seeds of the heads.
        settings: Views and fitting.
        out: Folder of the report.
        runs: Folders of finished runs to measure instead.
        device: Where networks compute.
        overwrite: Replace an earlier report; finished runs are kept.

    Raises:
        UserError: A model is missing, a style is unknown, a run is not finished, or the folder
            holds such a report.
    """
    with report_folder(out, "stylize", overwrite=overwrite):
        networks, protocol = load_style_networks(device), EvaluationSettings()
        pipeline = StylizePipeline.from_pretrained(model, device=device)
        with console.stages() as progress:
            heads = (
                _finished_heads(pipeline, runs, progress)
                if runs
                else _stylised_heads(
                    pipeline,
                    known_styles(styles, networks.classifier),
                    identities,
                    settings,
                    out,
                    progress,
                )
            )
            scores = [
                measure_head(head, networks.classifier, networks.identity, protocol)
                for head in heads
            ]
        report = stylize_report(
            scores,
            protocol,
            run_settings={"runs": [*map(str, runs)]} if runs else to_dict(settings),
            models={**pipeline.hashes, **networks.hashes},
        )
        save_stylize_sheet(out / "stylize.png", scores)
        publish(report, out, device)


def _finished_heads(
    pipeline: StylizePipeline, runs: Sequence[Path], progress: Progress
) -> Iterator[StylisedHead]:
    for done, folder in enumerate(runs):
        progress("runs", done, len(runs))
        yield StylisedHead.from_run(folder, pipeline.subject)


def _stylised_heads(
    pipeline: StylizePipeline,
    styles: Sequence[str],
    identities: Sequence[int],
    settings: StylizeSettings,
    out: Path,
    progress: Progress,
) -> Iterator[StylisedHead]:
    pairs = list(product(styles, identities))
    for done, (style, identity) in enumerate(pairs):
        progress("heads", done, len(pairs))
        folder, prompt = run_folder(out, style, identity), plain_prompt(style)
        yield stylise_or_read(
            pipeline, style, identity, settings, folder, prompt=prompt, progress=progress
        )


def save_stylize_sheet(path: Path, scores: Sequence[HeadScores]) -> None:
    """Save a row per stylised head: before, the edited front, then the result from all angles."""
    labels = [
        f"{score.style}, head {score.identity}: {sum(score.recognised)} of "
        f"{len(score.recognised)} recognised; before, edited front, result"
        for score in scores
    ]
    save_image_rows(path, [list(score.pictures) for score in scores], labels)


@torch.no_grad()
def measure_head(
    head: StylisedHead,
    classifier: StyleClassifier,
    identity: IdentityFeatures,
    settings: EvaluationSettings,
) -> HeadScores:
    """Measure a stylised head from all angles of the protocol."""
    yaws = torch.linspace(-settings.yaw_range, settings.yaw_range, settings.angles)
    angles = head.portrait.config.view.camera(yaws).to(head.edited.device)
    result = head.portrait.render(angles)
    nearest = (angles.forward @ head.cameras.forward.T).argmax(dim=1)
    recognised, probability = _named(classifier, result.image, head.style)
    edited_recognised, edited_probability = _named(classifier, head.edited[nearest], head.style)
    chosen = views_at_eye_level(head, settings.consistency_views)
    seen = head.portrait.render(head.cameras[chosen])
    edited = head.edited[chosen]
    front, before = head.portrait.render(), head.original.render()
    return HeadScores(
        style=head.style,
        identity=head.identity,
        recognised=recognised,
        probability=probability,
        edited_recognised=edited_recognised,
        edited_probability=edited_probability,
        consistency=view_consistency_error(_posed(seen, seen.image, head, chosen)),
        edited_consistency=edited_consistency_error(head, seen, chosen),
        sharpness=float(sharpness(seen.image).mean()),
        edited_sharpness=float(sharpness(edited).mean()),
        identity_similarity=float(
            (identity.embed(front.image) * identity.embed(before.image)).sum()
        ),
        pictures=torch.cat([before.image, head.edited[:1], result.image]).cpu(),
    )


def views_at_eye_level(head: StylisedHead, count: int) -> Tensor:
    """Return the indices of the grid's views with the smallest pitch; not the extra front."""
    order = head.cameras.pitch[1:].abs().argsort(stable=True)[:count]
    return (order + 1).sort().values


def edited_consistency_error(head: StylisedHead, result: View, chosen: Tensor) -> float:
    """Return the re-projection error of the edited views themselves.

    An edit has no depth of its own. It is measured with the surface of the result, which was
    fitted to it, and with that of the unedited head; the smaller error counts, in its favour.
    """
    before = head.original.render(head.cameras[chosen])
    edited = head.edited[chosen]
    return min(
        view_consistency_error(_posed(view, edited, head, chosen)) for view in (result, before)
    )


def _posed(view: View, image: Tensor, head: StylisedHead, chosen: Tensor) -> PosedViews:
    size = view.depth.shape[-1]
    sized = image if image.shape[-1] == size else resize(image, size)
    return PosedViews(sized, view.depth, view.alpha, head.cameras[chosen])


def _named(
    classifier: StyleClassifier, image: Tensor, style: str
) -> tuple[tuple[bool, ...], tuple[float, ...]]:
    probability = classifier.probabilities(image)
    # A combined style is recognised by either of its two parts.
    parts = [style_index(classifier, part) for part in style.split("+")]
    answer = probability.argmax(dim=1)
    recognised = torch.stack([answer == part for part in parts]).any(dim=0)
    return tuple(recognised.tolist()), tuple(probability[:, parts].sum(dim=1).tolist())


def stylize_report(
    scores: Iterable[HeadScores],
    settings: EvaluationSettings,
    *,
    run_settings: dict[str, object] | None = None,
    models: dict[str, str] | None = None,
) -> Report:
    """Summarise scores by style.

    Args:
        scores: One per style and head.
        settings: How they were measured.
        run_settings: How the heads were stylised.
        models: Hashes of the models.
    """
    by_style: dict[str, list[HeadScores]] = {}
    for score in scores:
        by_style.setdefault(score.style, []).append(score)
    rows = tuple(_row(style, members, settings) for style, members in by_style.items())
    everyone = [score for members in by_style.values() for score in members]
    consistency = mean([score.consistency for score in everyone])
    edited_consistency = mean([score.edited_consistency for score in everyone])
    summary: dict[str, Cell] = {
        "styles recognised": sum(row[1] == "yes" for row in rows),
        "styles recognised in the edited views": sum(row[2] == "yes" for row in rows),
        "styles": len(rows),
        "heads per style": max((len(members) for members in by_style.values()), default=0),
        "pictures recognised": _share(everyone, "recognised"),
        "edited views recognised": _share(everyone, "edited_recognised"),
        "re-projection error": consistency,
        "re-projection error of the edited views": edited_consistency,
        "times more consistent": _ratio(edited_consistency, consistency),
        "sharpness": mean([score.sharpness for score in everyone]),
        "sharpness of the edited views": mean([score.edited_sharpness for score in everyone]),
        "identity similarity": mean([score.identity_similarity for score in everyone]),
    }
    return Report(
        name="stylize",
        title="From a line of text to a 3D portrait",
        summary=summary,
        tables={"By style": Table(_COLUMNS, rows)},
        settings={"measurement": asdict(settings), "runs": run_settings or {}},
        models=models or {},
        notes=(
            f"A style counts as recognised when at least {settings.majority:.0%} of its pictures, "
            f"{settings.angles} angles of each head, are named rightly by the classifier's first "
            "answer. The edited views are the baseline: the editor alone, nearest camera.",
            "Re-projection error: mean colour difference of a surface point between neighbouring "
            "views, as a fraction of the colour range. The edited views are measured with the "
            "result's depth and with the unedited head's; the smaller error counts.",
            "Blur lowers a re-projection error as well; sharpness, the mean step between "
            "neighbouring pixels, shows how much of it is blur.",
        ),
    )


_COLUMNS = (
    "style",
    "recognised",
    "edited recognised",
    "share",
    "edited share",
    "probability",
    "consistency error",
    "edited error",
    "ratio",
    "identity similarity",
)


def _row(style: str, members: list[HeadScores], settings: EvaluationSettings) -> tuple[Cell, ...]:
    share, edited_share = _share(members, "recognised"), _share(members, "edited_recognised")
    consistency = mean([score.consistency for score in members])
    edited = mean([score.edited_consistency for score in members])
    return (
        style,
        "yes" if (share or 0.0) >= settings.majority else "no",
        "yes" if (edited_share or 0.0) >= settings.majority else "no",
        share,
        edited_share,
        mean([value for score in members for value in score.probability]),
        consistency,
        edited,
        _ratio(edited, consistency),
        mean([score.identity_similarity for score in members]),
    )


def _share(scores: Sequence[HeadScores], name: str) -> float | None:
    return mean([float(value) for score in scores for value in getattr(score, name)])


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None
