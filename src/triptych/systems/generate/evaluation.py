"""The avatar prior on unseen heads: its images against the renders of the same avatars."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads, TrueViews, unseen_cameras
from triptych.errors import UserError
from triptych.metrics.detail import DETAIL_MEASURES, DETAIL_SIZE, detail_figures
from triptych.metrics.identity import IdentityFeatures, identity_similarity
from triptych.metrics.image_metrics import iou, masked_psnr, psnr
from triptych.metrics.metric_networks import load_style_networks
from triptych.metrics.perceptual import PerceptualDistance
from triptych.models.eg3d import TriPlaneGenerator
from triptych.portrait import TriPlanePortrait, View
from triptych.progress import Step, no_progress
from triptych.runs.detail_table import DETAIL_NOTE, DETAIL_TABLE, detail_table
from triptych.runs.evaluation import Findings, evaluate_heads
from triptych.runs.record import model_record
from triptych.runs.report_file import CPU, Cell, Report, Table, mean
from triptych.seeds import check_seeds_from
from triptych.training.fitted_heads import FittedHeads
from triptych.weights import load_generator

REGION_NAMES = (
    "background",
    "face",
    "eye",
    "brow",
    "mouth",
    "nose",
    "ear",
    "hair",
    "neck and cloth",
)
_FACE = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class PriorSettings:
    """Which heads are measured.

    Attributes:
        count: Number of heads.
        views: Cameras per head: the exact front, then random ones.
        first_seed: Seed of the first head; seeds below 10,000 are never trained on.
        yaw_range: Largest yaw in radians.
        pitch_range: Largest pitch in radians.
        pictured: Heads that are shown on the sheet.
        refine: Measure portraits whose planes are fitted to the avatars; see
            `training.fitted_heads`.

    Raises:
        UserError: There is nothing to measure, or a head has no seed.
    """

    count: int = 200
    views: int = 4
    first_seed: int = 0
    yaw_range: float = 0.55
    pitch_range: float = 0.3
    pictured: int = 16
    refine: bool = False

    def __post_init__(self) -> None:
        if self.count < 1 or self.views < 1:
            raise UserError(
                f"count and views: got {self.count} and {self.views}; expected 1 or more of each"
            )
        check_seeds_from("first_seed", self.first_seed, self.count)


def evaluate_prior(
    model: str,
    settings: PriorSettings,
    out: Path,
    *,
    pack: Path | None = None,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Measure a generator and write prior.json, prior.md and the sheet prior.png.

    Args:
        model: Name from the registry, or a file.
        settings: Which heads.
        out: Folder of the report.
        pack: Head asset pack; the default places when None.
        device: Where networks compute.
        overwrite: Replace an earlier report.

    Raises:
        UserError: The model or the asset pack is missing, or the folder holds such a report.
    """

    def measure(step: Step) -> Findings:
        networks, heads = load_style_networks(device), AvatarHeads(pack, device=device)
        return measure_prior(
            load_generator(model, device),
            heads,
            networks.distance,
            networks.identity,
            settings,
            fitted=FittedHeads(heads) if settings.refine else None,
            models={model: model_record(model, "generator")["sha256"], **networks.hashes},
            step=step,
        )

    evaluate_heads("prior", settings.count, measure, out, device=device, overwrite=overwrite)


@torch.no_grad()
def measure_prior(
    generator: TriPlaneGenerator,
    heads: TrueHeads,
    distance: PerceptualDistance,
    identity: IdentityFeatures,
    settings: PriorSettings,
    *,
    fitted: FittedHeads | None = None,
    models: dict[str, str] | None = None,
    step: Step = no_progress,
) -> Findings:
    """Compare a generator with the true renders of unseen heads.

    Args:
        generator: Generator whose latent is the vector of avatar attributes.
        heads: The truth.
        distance: Perceptual distance.
        identity: Identity feature.
        settings: Which heads.
        fitted: Fits each head to its avatar before it is measured, as `settings.refine` asks.
        models: Hashes for the report.
        step: Called after each head.
    """
    figures: dict[str, list[float]] = {}
    detail: dict[str, list[float]] = {name: [] for name in DETAIL_MEASURES}
    by_region: dict[str, list[float]] = {name: [] for name in REGION_NAMES}
    pictures: list[list[Tensor]] = []
    for index in range(settings.count):
        seed = settings.first_seed + index
        camera = unseen_cameras(seed, settings.views, settings.yaw_range, settings.pitch_range)
        portrait = portrait_of(generator, seed, fitted)
        pred = portrait.render(camera, portrait.image_size, path="exact")
        true = heads.views(seed, None, camera, portrait.image_size)
        found = {
            **_fidelity(pred, true),
            "perceptual": distance(pred.image, true.image),
            "identity": identity_similarity(identity, pred.image, true.image),
        }
        for name, values in found.items():
            figures.setdefault(name, []).extend(values.tolist())
        for number, name in enumerate(REGION_NAMES):
            inside = (true.regions == number)[:, None]
            by_region[name].extend(masked_psnr(pred.image, true.image, inside).tolist())
        sharp = heads.views(seed, None, camera, DETAIL_SIZE)
        shown = portrait.render(camera, DETAIL_SIZE).image
        for name, values in detail_figures(shown, sharp.image, sharp.regions, distance).items():
            detail[name].extend(values.tolist())
        if index < settings.pictured:
            pictures.append([*true.image.cpu(), *pred.image.cpu()])
        step()
    labels = [
        f"seed {settings.first_seed + index}: {settings.views} renders, then the prior's pictures"
        for index in range(len(pictures))
    ]
    report = _report(figures, by_region, detail, settings, models or {})
    return Findings(report, pictures, labels)


def portrait_of(
    generator: TriPlaneGenerator, seed: int, fitted: FittedHeads | None
) -> TriPlanePortrait:
    """Return the portrait of a seed, its planes fitted to the seed's avatar where that is asked."""
    ws = generator.mapping(generator.latent(seed))
    portrait = TriPlanePortrait.from_generator(generator, ws, path="exact")
    return portrait if fitted is None else fitted(portrait, seed)


def _fidelity(pred: View, true: TrueViews) -> dict[str, Tensor]:
    face = torch.isin(true.regions, torch.tensor(_FACE, device=true.regions.device))[:, None]
    return {
        "psnr": psnr(pred.image, true.image),
        "psnr_head": masked_psnr(pred.image, true.image, true.alpha > 0.5),
        "psnr_face": masked_psnr(pred.image, true.image, face),
        "iou": iou(pred.alpha, true.alpha),
    }


def _report(
    figures: dict[str, list[float]],
    by_region: dict[str, list[float]],
    detail: dict[str, list[float]],
    settings: PriorSettings,
    models: dict[str, str],
) -> Report:
    summary: dict[str, Cell] = {name: mean(values) for name, values in figures.items()}
    summary |= {"heads": settings.count, "views per head": settings.views}
    summary["gradient at 256 pixels"] = mean(detail["gradient"])
    worst = sorted(figures["psnr"])[: max(1, len(figures["psnr"]) // 20)]
    summary["psnr of the worst 5 %"] = mean(worst)
    regions = tuple((name, mean(values)) for name, values in by_region.items())
    return Report(
        name="prior",
        title="The avatar prior on unseen heads",
        summary=summary,
        tables={
            "By region": Table(("region", "psnr"), regions),
            DETAIL_TABLE: detail_table(detail),
        },
        settings=asdict(settings),
        models=models,
        notes=(
            "PSNR in dB over the range [-1, 1]; head and face: over the pixels of the true region.",
            "The perceptual distance has the form of LPIPS over the embedded avatar features; it "
            "is not comparable with LPIPS figures of photographs.",
            DETAIL_NOTE,
        ),
    )
