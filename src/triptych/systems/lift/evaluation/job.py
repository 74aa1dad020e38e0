"""One evaluation of likenesses: lift, make what is compared with it, measure, report.

OUT/heads/NAME-KEY.safetensors   what was measured of a photo; a stopped evaluation goes on there
OUT/lift.json, .md, .png         the report and its sheet
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import triptych
from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads
from triptych.camera import look_at_camera
from triptych.config import check_fields, to_dict
from triptych.errors import UserError
from triptych.metrics.metric_networks import load_style_networks
from triptych.ops.resize import resize
from triptych.photos.photo import as_photo
from triptych.photos.picture_source import PictureSource
from triptych.progress import Step, no_progress
from triptych.runs.evaluation import Findings, MeasuredHead, MeasuredHeads, evaluate_heads
from triptych.runs.report_file import CPU, Cell, Report, Table, mean
from triptych.systems.lift.evaluation.figures import (
    TURN_DEG,
    LiftMetrics,
    figures_of,
    rendered,
)
from triptych.systems.lift.evaluation.heads import (
    HeadToLift,
    KnownHead,
    likeness_heads,
    photos_of,
    unseen_avatars,
    with_memory,
)
from triptych.systems.lift.evaluation.methods import LIFT, Rival, answers
from triptych.systems.lift.pipeline import LiftPipeline
from triptych.systems.lift.settings import LiftSettings
from triptych.training.plane_fitting import PlaneFitConfig
from triptych.weights.safetensors_file import content_hash

_NOTES = (
    "Photos of known heads are renders, from each yaw; figures of one method are means over its "
    "photos. psnr: in dB, over the person's pixels of the photo; 'at N': over the true head's "
    "pixels from N degrees of yaw; positive angles are on the side of the photo's camera.",
    "Perceptual distance and identity are those of the embedded avatar networks; they compare rows "
    "of this table only.",
    "Depth error: of the face seen from the front, mean and median, in % of its width. Landmarks: "
    "mean distance to those of the true head, in % of the face's width.",
    f"Landmark shape: of renders turned by {TURN_DEG} degrees against the photo's own, after the "
    "best similarity, root mean square in % of the face's width. Yaw error: of the detector there, "
    "in degrees.",
    "View inconsistency: mean difference of a surface's colours between views 6 degrees apart, in "
    "% of the range.",
)


@dataclass(frozen=True)
class LiftEvaluation:
    """What is lifted and measured.

    Attributes:
        count: Number of unseen avatars.
        first_seed: Seed of the first; seeds below 10,000 are never trained on.
        likenesses: Portrait files of finished likenesses, photographed again.
        photos: Photos of people, of which nothing else is known.
        yaws: Sides, in radians, from which known heads are photographed.
        pictured: Photos that are shown on the sheet.
        settings: Of the lift.
        photo_only: How planes are fitted to the photo alone.
        alone: Measure the lift and nothing that it is compared with.

    Raises:
        UserError: There is nothing to measure.
    """

    count: int = 30
    first_seed: int = 0
    likenesses: tuple[Path, ...] = ()
    photos: tuple[PictureSource, ...] = ()
    yaws: tuple[float, ...] = (0.0, math.radians(15), math.radians(30))
    pictured: int = 24
    settings: LiftSettings = LiftSettings()
    photo_only: PlaneFitConfig = PlaneFitConfig()
    alone: bool = False

    def __post_init__(self) -> None:
        check_fields(self, count=(0, 10_000), first_seed=(0, 9_999), yaws=(-1.0, 1.0))
        if not self.number:
            raise UserError(
                "nothing to lift: got no avatars, no likenesses and no photos; expected one or "
                "more, and a yaw or more for heads that are known"
            )

    @property
    def number(self) -> int:
        """How many photos are lifted."""
        return (self.count + len(self.likenesses)) * len(self.yaws) + len(self.photos)


def evaluate_lift(
    model: str,
    evaluation: LiftEvaluation,
    out: Path,
    *,
    load_rival: Callable[[], Rival] | None = None,
    pack: Path | None = None,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Lift photos, measure the likenesses, and write lift.json, lift.md and the sheet lift.png.

    Photos that are measured stay in OUT/heads; a stopped evaluation goes on where it was.

    Args:
        model: Generator of avatars: "avatar", a name or a file.
        evaluation: What is lifted.
        out: Folder of the report.
        load_rival: Loads other methods to compare with.
        pack: Head asset pack; the embedded one when None.
        device: Where networks compute.
        overwrite: Replace an earlier report; measured photos are kept.

    Raises:
        UserError: A model or a picture is missing, or the folder holds such a report.
    """

    def measure(step: Step) -> Findings:
        networks, pipeline = load_style_networks(), LiftPipeline.from_pretrained(model)
        metrics = LiftMetrics(
            networks.distance,
            networks.identity,
            pipeline.landmarks,
            lambda pixels: pipeline.align.faces(as_photo(pixels))[0],
        )
        heads = AvatarHeads(pack) if evaluation.count else None
        return measure_lift(
            pipeline.to(device),
            metrics,
            evaluation,
            heads,
            rival=None if load_rival is None else load_rival(),
            networks=networks.hashes,
            folder=out / "heads",
            step=step,
        )

    number = evaluation.number
    evaluate_heads("lift", number, measure, out, device=device, overwrite=overwrite)


@torch.no_grad()
def measure_lift(
    pipeline: LiftPipeline,
    metrics: LiftMetrics,
    evaluation: LiftEvaluation,
    heads: TrueHeads | None = None,
    *,
    rival: Rival | None = None,
    networks: Mapping[str, str] | None = None,
    folder: Path | None = None,
    step: Step = no_progress,
) -> Findings:
    """Lift photos and measure what every method makes of them.

    Args:
        pipeline: Lifts.
        metrics: Measures.
        evaluation: What is lifted.
        heads: The truth of avatars.
        rival: Other methods.
        networks: Hashes of the networks that measure.
        folder: Keeps what was measured; nothing is kept when None.
        step: Called after each photo.
    """
    plan = {
        "triptych": triptych.__version__,
        "model": pipeline.name,
        "hashes": pipeline.hashes,
        "settings": to_dict(evaluation.settings),
        "photo_only": to_dict(evaluation.photo_only),
        "alone": evaluation.alone,
        "rival": None if rival is None else dict(rival.plan()),
        "networks": dict(networks or {}),
    }
    kept = MeasuredHeads(folder, plan)
    known: list[tuple[str, MeasuredHead]] = []
    others: list[tuple[str, MeasuredHead]] = []
    for head in _heads(pipeline, evaluation, heads):
        pictured = len(known) + len(others) < evaluation.pictured
        place = known if head.truth is not None else others

        def measured(head: HeadToLift = head, pictured: bool = pictured) -> MeasuredHead:
            return _measured(pipeline, metrics, head, evaluation, rival, pictured)

        pixels = content_hash({"image": head.image})[:8]
        place.append((head.name, kept(f"{head.name}-{pixels}", measured)))
        step()
    return _findings(known, others, pipeline, evaluation)


def _heads(
    pipeline: LiftPipeline, evaluation: LiftEvaluation, heads: TrueHeads | None
) -> Iterator[HeadToLift]:
    known: list[KnownHead] = []
    if heads is not None:
        known += unseen_avatars(heads, evaluation.first_seed, evaluation.count)
    known += likeness_heads(evaluation.likenesses, pipeline.network)
    for head in known:
        yield from head.photos(evaluation.yaws, pipeline.align.size)
    yield from photos_of(evaluation.photos, pipeline.align)


def _measured(
    pipeline: LiftPipeline,
    metrics: LiftMetrics,
    head: HeadToLift,
    evaluation: LiftEvaluation,
    rival: Rival | None,
    pictured: bool,
) -> MeasuredHead:
    """Lift one photo, make what is compared with it, and measure all."""
    head = with_memory(head)
    found, lifted = answers(
        pipeline,
        head,
        evaluation.settings,
        evaluation.photo_only,
        rival,
        alone=evaluation.alone,
    )
    photo = lifted.confidence.colours.photo
    person = photo.person & photo.inside
    rows = {name: figures_of(portrait, head, person, metrics) for name, portrait in found.items()}
    if not pictured:
        return MeasuredHead(rows)
    turned = look_at_camera(float(head.camera.yaw) + math.radians(TURN_DEG), 0.0)
    pictures = [resize(head.image, metrics.size)]
    for portrait in found.values():
        pictures += [rendered(portrait, camera, metrics.size) for camera in (head.camera, turned)]
    return MeasuredHead(rows, torch.cat(pictures))


def _findings(
    known: list[tuple[str, MeasuredHead]],
    others: list[tuple[str, MeasuredHead]],
    pipeline: LiftPipeline,
    evaluation: LiftEvaluation,
) -> Findings:
    tables: dict[str, Table] = {}
    for yaw in evaluation.yaws if known else ():
        suffix = f"-{round(math.degrees(yaw))}"
        heads = [head for name, head in known if name.endswith(suffix)]
        tables[f"Known heads, photographed from {suffix[1:]} degrees"] = _table(heads)
    if others:
        tables["Photos of people"] = _table([head for _, head in others])
    summary: dict[str, Cell] = {"known photos": len(known), "photos of people": len(others)}
    everything = [head for _, head in (*known, *others)]
    for name in ("psnr", "depth error", f"landmark shape at {TURN_DEG}"):
        summary[f"{name} of the lift"] = _mean(everything, LIFT, name)
    shown = [(name, head.pictures) for name, head in (*known, *others) if len(head.pictures)]
    report = Report(
        name="lift",
        title="Likenesses of photos",
        summary=summary,
        tables=tables,
        settings={
            "avatars": evaluation.count,
            "first_seed": evaluation.first_seed,
            "likenesses": len(evaluation.likenesses),
            "photos": len(evaluation.photos),
            "yaws_deg": [round(math.degrees(yaw), 2) for yaw in evaluation.yaws],
            "lift": to_dict(evaluation.settings),
        },
        models=pipeline.hashes,
        notes=_NOTES,
    )
    methods = list(everything[0].rows)
    columns = ["photo", *(text for name in methods for text in (name, f"+{TURN_DEG} degrees"))]
    rows: list[list[Tensor]] = [list(pictures) for _, pictures in shown]
    return Findings(report, rows, [name for name, _ in shown], columns)


def _table(heads: list[MeasuredHead]) -> Table:
    """Return the mean figures of each method, one figure a row."""
    methods = list(heads[0].rows)
    names = list(heads[0].rows[LIFT])
    rows = tuple((name, *(_mean(heads, method, name) for method in methods)) for name in names)
    return Table(("figure", *methods), rows)


def _mean(heads: list[MeasuredHead], method: str, name: str) -> float | None:
    return mean([head.rows[method][name] for head in heads if name in head.rows[method]])
