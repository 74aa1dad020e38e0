"""The avatar prior on unseen heads: its images against the renders of the same avatars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads, TrueViews, unseen_cameras
from triptych.errors import UserError
from triptych.export.sheets import save_image_rows
from triptych.metrics.detail import DETAIL_MEASURES, DETAIL_SIZE, detail_figures
from triptych.metrics.identity import IdentityFeatures, identity_similarity
from triptych.metrics.image_metrics import iou, masked_psnr, psnr
from triptych.metrics.metric_networks import load_style_networks
from triptych.metrics.perceptual import PerceptualDistance
from triptych.models.eg3d import TriPlaneGenerator
from triptych.portrait import TriPlanePortrait, View
from triptych.progress import Step, no_progress
from triptych.runs import console
from triptych.runs.detail_table import DETAIL_NOTE, DETAIL_TABLE, detail_table
from triptych.runs.record import model_record
from triptych.runs.report_file import (
    CPU,
    Cell,
    Report,
    Table,
    mean,
    publish,
    report_folder,
)
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
    with report_folder(out, "prior", overwrite=overwrite):
        networks, heads = load_style_networks(device), AvatarHeads(pack, device=device)
        generator = load_generator(model, device)
        fitted = FittedHeads(heads) if settings.refine else None
        with console.progress("heads", settings.count) as step:
            findings = measure_prior(
                generator,
                heads,
                networks.distance,
                networks.identity,
                settings,
                fitted=fitted,
                models={model: model_record(model, "generator")["sha256"], **networks.hashes},
                step=step,
            )
        save_prior_sheet(out / "prior.png", findings.pictures, settings.first_seed)
        publish(findings.report, out, device)


def save_prior_sheet(path: Path, pairs: Sequence[Tensor], first_seed: int) -> None:
    """Save heads [2, v, 3, h, h]: in each row the renders, then the generator's images."""
    labels = [
        f"seed {first_seed + index}: {len(pair[0])} renders, then the generator's pictures"
        for index, pair in enumerate(pairs)
    ]
    save_image_rows(path, [[*pair[0], *pair[1]] for pair in pairs], labels)


@dataclass
class PriorFindings:
    """The report and what its sheet shows.

    Attributes:
        report: Figures.
        pictures: For each pictured head its renders and, in the same order, the generator's
            pictures, [2, v, 3, h, h].
    """

    report: Report
    pictures: list[Tensor] = field(default_factory=list)


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
) -> PriorFindings:
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
    pictures: list[Tensor] = []
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
            pictures.append(torch.stack([true.image, pred.image]).cpu())
        step()
    return PriorFindings(_report(figures, by_region, detail, settings, models or {}), pictures)


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
