"""How well a generator draws heads it has never seen: its pictures against the avatars' renders."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueHeads, TrueViews, unseen_cameras
from triptych.camera import Camera
from triptych.errors import UserError
from triptych.metrics.identity import IdentityFeatures, identity_similarity
from triptych.metrics.image_metrics import iou, masked_psnr, psnr
from triptych.metrics.perceptual import PerceptualDistance
from triptych.models.eg3d import TriPlaneGenerator
from triptych.progress import Step, no_progress
from triptych.render.rendering import Rendering
from triptych.runs.report_file import Cell, Report, Table, mean

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
    """Which heads are looked at.

    Attributes:
        count: Number of heads.
        views: Cameras per head: the exact front, then random ones.
        first_seed: Seed of the first head; seeds below 10,000 are never trained on.
        yaw_range: Largest yaw in radians.
        pitch_range: Largest pitch in radians.
        pictured: Heads that are shown on the sheet.
    """

    count: int = 200
    views: int = 4
    first_seed: int = 0
    yaw_range: float = 0.55
    pitch_range: float = 0.3
    pictured: int = 16

    def __post_init__(self) -> None:
        if self.count < 1 or self.views < 1:
            raise UserError(
                f"count and views: got {self.count} and {self.views}; expected 1 or more of each"
            )


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
        models: Hashes for the report.
        step: Called after each head.
    """
    figures: dict[str, list[float]] = {}
    by_region: dict[str, list[float]] = {name: [] for name in REGION_NAMES}
    pictures: list[Tensor] = []
    for index in range(settings.count):
        seed = settings.first_seed + index
        camera = unseen_cameras(seed, settings.views, settings.yaw_range, settings.pitch_range)
        made = _generated(generator, seed, camera)
        true = heads.views(seed, None, camera, made.image.shape[-1])
        found = {
            **_fidelity(made, true),
            "perceptual": distance(made.image, true.image),
            "identity": identity_similarity(identity, made.image, true.image),
        }
        for name, values in found.items():
            figures.setdefault(name, []).extend(values.tolist())
        for number, name in enumerate(REGION_NAMES):
            inside = (true.regions == number)[:, None]
            by_region[name].extend(masked_psnr(made.image, true.image, inside).tolist())
        if index < settings.pictured:
            pictures.append(torch.stack([true.image, made.image]))
        step()
    return PriorFindings(_report(figures, by_region, settings, models or {}), pictures)


def _generated(generator: TriPlaneGenerator, seed: int, camera: Camera) -> Rendering:
    return generator.synthesis(generator.mapping(generator.latent(seed)), camera)


def _fidelity(made: Rendering, true: TrueViews) -> dict[str, Tensor]:
    face = torch.isin(true.regions, torch.tensor(_FACE))[:, None]
    return {
        "psnr": psnr(made.image, true.image),
        "psnr_head": masked_psnr(made.image, true.image, true.alpha > 0.5),
        "psnr_face": masked_psnr(made.image, true.image, face),
        "iou": iou(made.alpha, true.alpha),
    }


def _report(
    figures: dict[str, list[float]],
    by_region: dict[str, list[float]],
    settings: PriorSettings,
    models: dict[str, str],
) -> Report:
    summary: dict[str, Cell] = {name: mean(values) for name, values in figures.items()}
    summary |= {"heads": settings.count, "views per head": settings.views}
    worst = sorted(figures["psnr"])[: max(1, len(figures["psnr"]) // 20)]
    summary["psnr of the worst 5 %"] = mean(worst)
    regions = tuple((name, mean(values)) for name, values in by_region.items())
    return Report(
        name="prior",
        title="The avatar prior on unseen heads",
        summary=summary,
        tables={"By region": Table(("region", "psnr"), regions)},
        settings=asdict(settings),
        models=models,
        notes=(
            "PSNR in dB over the range [-1, 1]; head and face: over the pixels of the true region.",
            "The perceptual distance has the form of LPIPS over the embedded avatar features; it "
            "is not comparable with LPIPS figures of photographs.",
        ),
    )
