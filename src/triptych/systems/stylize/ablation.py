"""FF3D's ablation (its Table 2) at any scale: the same edited views, fitted four ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads
from triptych.config import to_dict
from triptych.export.sheets import save_image_rows
from triptych.metrics.image_metrics import sharpness
from triptych.metrics.metric_networks import load_style_networks
from triptych.metrics.perceptual import PerceptualDistance
from triptych.metrics.style_classifier import (
    StyleClassifier,
    style_probability,
    style_recognised,
)
from triptych.ops.resize import resize
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress, no_progress
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
    with_planes,
)
from triptych.systems.stylize.fitting import fit
from triptych.systems.stylize.pipeline import Stylized, StylizePipeline
from triptych.systems.stylize.plane_source import trainable_plane_source
from triptych.systems.stylize.settings import PlaneSource, StylizeSettings
from triptych.systems.stylize.work_folder import RESUME_FOLDER

VARIANTS: dict[PlaneSource, str] = {
    "full": "full",
    "vector": "w/o spatial w_s",
    "no_pretraining": "w/o pre-training",
    "none": "w/o I2T",
}
# CLIP scores of the paper's Table 2.
PUBLISHED: dict[PlaneSource, float] = {
    "full": 0.306,
    "vector": 0.282,
    "no_pretraining": 0.113,
    "none": 0.251,
}


@dataclass(frozen=True)
class AblationSettings:
    """The cameras from which the variants are measured.

    Attributes:
        num_yaw: Cameras from one side to the other.
        num_pitch: Rows of cameras.
        yaw_range: Largest yaw in radians.
        pitch_range: Largest pitch in radians.
    """

    num_yaw: int = 5
    num_pitch: int = 3
    yaw_range: float = math.radians(30)
    pitch_range: float = math.radians(15)


def evaluate_ablation(
    model: str,
    styles: Sequence[str],
    identities: Sequence[int],
    settings: StylizeSettings,
    out: Path,
    *,
    pack: Path | None = None,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Fit all variants and write ablation.json, ablation.md and the sheet ablation.png.

    Runs stay in OUT/runs; a stopped evaluation goes on where it was.

    Args:
        model: "avatar", or a folder of models.
        styles: Styles to ask for.
        identities: Seeds of the heads.
        settings: Views and fitting.
        out: Folder of the report.
        pack: Head asset pack for the distance to the true style; the embedded one by default.
        device: Where networks compute.
        overwrite: Replace an earlier report; finished fits are kept.

    Raises:
        UserError: A model is missing, a style is unknown, or the folder holds such a report.
    """
    with report_folder(out, "ablation", overwrite=overwrite):
        networks, truth = load_style_networks(device), AvatarHeads(pack, device=device)
        protocol = AblationSettings()
        pairs = list(product(known_styles(styles, networks.classifier), identities))
        pipeline = StylizePipeline.from_pretrained(model, device=device)
        scores: list[AblationScore] = []
        fronts: list[list[Tensor]] = []
        with console.stages() as progress:
            for done, (style, identity) in enumerate(pairs):
                progress("heads", done, len(pairs))
                folder, prompt = run_folder(out, style, identity), plain_prompt(style)
                heads = fit_variants(
                    pipeline, style, identity, settings, folder, prompt=prompt, progress=progress
                )
                scores += [
                    score_variant(
                        name, head, networks.classifier, networks.distance, truth, protocol
                    )
                    for name, head in heads.items()
                ]
                shown = [head.portrait.render().image[0] for head in heads.values()]
                fronts.append([image.cpu() for image in (heads["full"].edited[0], *shown)])
        report = ablation_report(
            scores,
            protocol,
            run_settings=to_dict(settings),
            models={**pipeline.hashes, **networks.hashes},
        )
        labels = [f"{style}, head {identity}" for style, identity in pairs]
        save_image_rows(out / "ablation.png", fronts, labels, ("edited", *VARIANTS.values()))
        publish(report, out, device)


@dataclass(frozen=True)
class AblationScore:
    """One variant on one head and style, averaged over its pictures.

    Attributes:
        variant: Which one.
        style: The style that was asked for.
        identity: Seed of the head.
        probability: The classifier's probability of the style; stands for the paper's CLIP score.
        recognised: Share of pictures whose first answer is the style.
        to_edits: Perceptual distance to the edited views, same cameras.
        to_truth: Perceptual distance to the avatar truly in the style; None where it is unknown.
        sharpness: Mean step between neighbouring pixels.
    """

    variant: PlaneSource
    style: str
    identity: int
    probability: float
    recognised: float
    to_edits: float
    to_truth: float | None
    sharpness: float


def fit_variants(
    pipeline: StylizePipeline,
    style: str,
    identity: int,
    settings: StylizeSettings,
    folder: Path,
    *,
    prompt: str,
    seed: int = 0,
    progress: Progress = no_progress,
) -> dict[PlaneSource, StylisedHead]:
    """Edit the views once and fit every variant to them.

    Each variant's portrait stays in the folder, so that an interrupted run goes on.

    Args:
        pipeline: The pipeline.
        style: Style that the prompt asks for.
        identity: Seed of the head.
        settings: Views and fitting; which variant is decided here.
        folder: This head's and style's own folder.
        prompt: What the head becomes.
        seed: Seed of the edit's noise and of the fitting.
        progress: Called with (stage, done, total).
    """
    full = replace(settings, use_i2t="full", anchor="none")
    result = pipeline(
        prompt, identity=identity, seed=seed, settings=full, work_dir=folder, progress=progress
    )
    head = StylisedHead.from_result(style, identity, result)
    fitted: dict[PlaneSource, StylisedHead] = {"full": head}
    for variant in VARIANTS:
        if variant == "full":
            continue
        file = folder / f"{variant}.safetensors"
        if not file.exists():
            changed = replace(settings, use_i2t=variant, anchor="none")
            planes = _fitted_planes(pipeline, result, changed, seed, folder, progress)
            with_planes(head, planes).portrait.save(file)
        device = head.portrait.planes.device
        fitted[variant] = with_planes(head, TriPlanePortrait.load(file, device).planes)
    return fitted


def _fitted_planes(
    pipeline: StylizePipeline,
    result: Stylized,
    settings: StylizeSettings,
    seed: int,
    folder: Path,
    progress: Progress,
) -> Tensor:
    """Fit one variant to edited views that are there already."""
    source = trainable_plane_source(
        settings.use_i2t,
        pipeline.image_to_triplane,
        pipeline.generator,
        result.original.ws,
        seed,
    )
    checkpoint = folder / RESUME_FOLDER / f"fitting_{settings.use_i2t}.safetensors"
    found = fit(
        source,
        result.original,
        result.views,
        settings,
        perceptual=pipeline.perceptual,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
    )
    checkpoint.unlink(missing_ok=True)
    return found.planes


@torch.no_grad()
def score_variant(
    variant: PlaneSource,
    head: StylisedHead,
    classifier: StyleClassifier,
    distance: PerceptualDistance,
    truth: TrueHeads | None,
    settings: AblationSettings,
) -> AblationScore:
    """Measure one variant."""
    yaw = torch.linspace(-settings.yaw_range, settings.yaw_range, settings.num_yaw)
    pitch = torch.linspace(-settings.pitch_range, settings.pitch_range, settings.num_pitch)
    cameras = head.portrait.config.view.camera(
        yaw.repeat(len(pitch)), pitch.repeat_interleave(len(yaw))
    ).to(head.edited.device)
    pictures = head.portrait.render(cameras).image
    nearest = (cameras.forward @ head.cameras.forward.T).argmax(dim=1).unique()
    beside_edits = head.portrait.render(head.cameras[nearest]).image
    edits = resize(head.edited[nearest], beside_edits.shape[-1])
    to_truth = None
    if truth is not None:
        true = truth.views(head.identity, head.style, cameras, pictures.shape[-1]).image
        to_truth = float(distance(pictures, true).mean())
    return AblationScore(
        variant=variant,
        style=head.style,
        identity=head.identity,
        probability=float(style_probability(classifier, pictures, head.style).mean()),
        recognised=float(style_recognised(classifier, pictures, head.style).float().mean()),
        to_edits=float(distance(beside_edits, edits).mean()),
        to_truth=to_truth,
        sharpness=float(sharpness(pictures).mean()),
    )


def ablation_report(
    scores: Sequence[AblationScore],
    settings: AblationSettings,
    *,
    run_settings: dict[str, object] | None = None,
    models: dict[str, str] | None = None,
) -> Report:
    """Summarise scores by variant and say which of the paper's orders came out."""
    rows = tuple(_row(variant, name, scores) for variant, name in VARIANTS.items())
    summary: dict[str, Cell] = {
        f"full > {name}": _above("full", variant, scores)
        for variant, name in VARIANTS.items()
        if variant != "full"
    }
    summary["heads and styles"] = len({(score.style, score.identity) for score in scores})
    return Report(
        name="ablation",
        title="Ablation of the text-to-portrait fitting",
        summary=summary,
        tables={
            "By variant": Table(_COLUMNS, rows),
            "By style": Table(("style", *VARIANTS.values()), _by_style(scores)),
        },
        settings={"cameras": asdict(settings), "runs": run_settings or {}},
        models=models or {},
        notes=(
            "Probability: the classifier's probability of the asked style, mean over all pictures; "
            "it stands for the CLIP score of the paper's Table 2, which is given for its order "
            "only. All variants are fitted to the same edited views with the same settings.",
        ),
        details={"scores": [asdict(score) for score in scores]},
    )


_COLUMNS = (
    "variant",
    "probability",
    "recognised",
    "perceptual to edits",
    "perceptual to truth",
    "sharpness",
    "published CLIP score",
)


def _row(variant: PlaneSource, name: str, scores: Sequence[AblationScore]) -> tuple[Cell, ...]:
    measures = ("probability", "recognised", "to_edits", "to_truth", "sharpness")
    values = tuple(_mean_of(variant, measure, scores) for measure in measures)
    return (name, *values, PUBLISHED[variant])


def _by_style(scores: Sequence[AblationScore]) -> tuple[tuple[Cell, ...], ...]:
    rows = []
    for style in dict.fromkeys(score.style for score in scores):
        own = [score for score in scores if score.style == style]
        rows.append((style, *(_mean_of(variant, "probability", own) for variant in VARIANTS)))
    return tuple(rows)


def _mean_of(variant: PlaneSource, measure: str, scores: Sequence[AblationScore]) -> float | None:
    values = [getattr(score, measure) for score in scores if score.variant == variant]
    return mean([value for value in values if value is not None])


def _above(first: PlaneSource, second: PlaneSource, scores: Sequence[AblationScore]) -> str | None:
    higher, lower = (_mean_of(v, "probability", scores) for v in (first, second))
    if higher is None or lower is None:
        return None
    return "yes" if higher > lower else "no"
