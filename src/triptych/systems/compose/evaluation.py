"""Portraits of regions measured: likeness to unseen avatars, locality of swaps, surface, speed."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads, unseen_cameras
from triptych.camera import Camera
from triptych.errors import UserError, check_whole
from triptych.metrics.image_metrics import iou, psnr
from triptych.metrics.metric_networks import load_style_networks
from triptych.metrics.perceptual import PerceptualDistance
from triptych.metrics.reprojection import PosedViews, view_consistency_error
from triptych.portrait import View
from triptych.progress import Step, no_progress
from triptych.render.rays import camera_rays
from triptych.runs.evaluation import Findings, evaluate_heads
from triptych.runs.record import model_record
from triptych.runs.report_file import CPU, Cell, Report, Table, mean
from triptych.seeds import check_seeds_from
from triptych.systems.compose.locality import (
    Locality,
    mask_of_regions,
    pooled_ratio,
    swap_locality,
    widened,
)
from triptych.systems.compose.pipeline import ComposePipeline, RegionChoice, generator_name
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.systems.compose.region_rays import plan_depths
from triptych.systems.compose.region_shares import region_ious, region_map
from triptych.systems.compose.regions import AVATAR_ORDER, BACKGROUND, region_colours
from triptych.systems.compose.surface_quality import surface_quality

_SURFACE_SIZE = 32
_NEIGHBOUR_YAW = 0.1


@dataclass(frozen=True)
class ComposeSettings:
    """Which heads are measured.

    Attributes:
        count: Number of heads.
        views: Cameras per head: the exact front, then random ones.
        first_seed: Seed of the first head; seeds below 10,000 are never trained on.
        pictured: Heads that are shown on the sheet.

    Raises:
        UserError: There is nothing to measure, or a head has no seed.
    """

    count: int = 16
    views: int = 4
    first_seed: int = 0
    pictured: int = 16

    def __post_init__(self) -> None:
        check_whole("count", self.count, 1, 10_000)
        check_whole("views", self.views, 1, 1000)
        check_seeds_from("first_seed", self.first_seed, self.count + 1)


def evaluate_compose(
    model: str,
    settings: ComposeSettings,
    out: Path,
    *,
    pack: Path | None = None,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Measure a generator of regions and write compose.json, compose.md and compose.png.

    Models whose latents are not avatars' attributes have no true heads: what compares with them is
    left out.

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
        pipeline = ComposePipeline.from_pretrained(model, device=device)
        networks = load_style_networks(device)
        heads: TrueHeads | None = None
        if pipeline.generator.config.latent_kind == "attributes":
            heads = AvatarHeads(pack, device=device)
        name = str(generator_name(model))
        models = {name: model_record(name, "region-generator")["sha256"], **networks.hashes}
        return measure_compose(
            pipeline, heads, networks.distance, settings, models=models, step=step
        )

    evaluate_heads("compose", settings.count, measure, out, device=device, overwrite=overwrite)


@torch.no_grad()
def measure_compose(
    pipeline: ComposePipeline,
    heads: TrueHeads | None,
    distance: PerceptualDistance,
    settings: ComposeSettings,
    *,
    models: dict[str, str] | None = None,
    step: Step = no_progress,
) -> Findings:
    """Measure a pipeline.

    On the sheet, each pictured head has a row: true pictures where they are known, composed ones,
    their regions, and the head with each region from the next seed.

    Args:
        pipeline: Makes the heads.
        heads: The truth of the same seeds; None where there is none.
        distance: Perceptual distance.
        settings: Which heads.
        models: Hashes for the report.
        step: Called after each head.

    Raises:
        UserError: Regions of the model are none of an avatar's though it has true heads.
    """
    measured = _Measured(pipeline, heads, distance)
    pictures = []
    for index in range(settings.count):
        seed = settings.first_seed + index
        row = measured.head(seed, unseen_cameras(seed, settings.views))
        if index < settings.pictured:
            pictures.append(row)
        step()
    labels = [f"seed {settings.first_seed + index}" for index in range(len(pictures))]
    return Findings(measured.report(settings, models or {}), pictures, labels)


class _Measured:
    """Figures of the heads so far."""

    def __init__(
        self, pipeline: ComposePipeline, heads: TrueHeads | None, distance: PerceptualDistance
    ) -> None:
        self.pipeline, self.heads, self.distance = pipeline, heads, distance
        self.figures: dict[str, list[float]] = {}
        self.swaps: dict[str, list[Locality]] = {}
        self.leaks: dict[str, list[float]] = {"true": [], "published": []}
        self.maps: list[tuple[Tensor, Tensor]] = []
        foreign = [name for name in pipeline.regions if name not in AVATAR_ORDER]
        if heads is not None and foreign:
            raise UserError(f"the model's region '{foreign[0]}' is none of an avatar's")

    def head(self, seed: int, camera: Camera) -> list[Tensor]:
        portrait = self.pipeline(seed, truncation_psi=1.0)
        camera = camera.to(portrait.codes.device)
        view = portrait.render(camera)  # makes what is made once
        began = time.process_time()
        portrait.render(camera)
        self._add("seconds per view", (time.process_time() - began) / len(camera))
        pictures = [*self._compared(seed, camera, view), view.image[0], _coloured(view)]
        self._consistency(portrait)
        self._surface(portrait)
        return [*pictures, *self._swapped(seed, portrait)]

    def report(self, settings: ComposeSettings, models: dict[str, str]) -> Report:
        summary: dict[str, Cell] = {name: mean(values) for name, values in self.figures.items()}
        tables: dict[str, Table] = {}
        if self.maps:
            pred, true = (torch.cat(maps) for maps in zip(*self.maps, strict=True))
            ious = region_ious(pred, true, len(self.pipeline.regions))
            named = {self.pipeline.regions[number]: value for number, value in ious.items()}
            summary["region iou"] = sum(named.values()) / len(named)
            tables["Regions"] = Table(("region", "iou"), tuple(named.items()))
        ratios = {name: pooled_ratio(found) for name, found in self.swaps.items()}
        summary["swap ratio"] = mean(list(ratios.values()))
        tables["Swaps"] = Table(("region", "change outside / inside"), tuple(ratios.items()))
        shown = tuple((name, mean(values)) for name, values in self.leaks.items() if values)
        tables["One region alone"] = Table(("form", "other pixels that are covered"), shown)
        return Report(
            name="compose",
            title="Portraits of regions",
            summary=summary | {"heads": settings.count, "views per head": settings.views},
            tables=tables,
            settings=asdict(settings),
            models=models,
            notes=(
                "PSNR in dB over the range [-1, 1], perceptual distance and silhouette IoU against "
                "renders of the same seed's avatar. Regions: pooled over all heads and views.",
                "Swap ratio: mean change of pixels outside of a region's widened mask over that "
                "inside, when the region comes from the next seed; both are means over all heads, "
                "so that heads whose regions are nearly alike do not decide.",
                "One region alone: the share of pixels outside of its widened mask that are "
                "covered all the same. 'published': as the release, which keeps all geometry.",
                "Crossing once: rays whose signed distance has one surface facing them. Steepness: "
                "median length of its gradient there.",
                "Seconds are CPU seconds of one process, lattice and folding not counted.",
            ),
        )

    def _compared(self, seed: int, camera: Camera, view: View) -> list[Tensor]:
        if self.heads is None:
            return []
        true = self.heads.views(seed, None, camera, view.image.shape[-1])
        self._add("psnr", *psnr(view.image, true.image).tolist())
        self._add("perceptual", *self.distance(view.image, true.image).tolist())
        assert view.regions is not None
        if view.alpha.shape == true.alpha.shape:
            self._add("silhouette iou", *iou(view.alpha, true.alpha).tolist())
        order = torch.tensor([self.pipeline.regions.index(name) for name in AVATAR_ORDER])
        self.maps.append((region_map(view).cpu(), order[true.regions.cpu()]))
        return [true.image[0]]

    def _consistency(self, portrait: RegionPortrait) -> None:
        camera = portrait.orbit(torch.tensor([-_NEIGHBOUR_YAW, 0.0, _NEIGHBOUR_YAW]))
        view = portrait.render(camera.to(portrait.codes.device), _volume_size(portrait))
        posed = PosedViews(view.image_raw, view.depth, view.alpha, camera.to(view.depth.device))
        self._add("view inconsistency", view_consistency_error(posed))

    def _surface(self, portrait: RegionPortrait) -> None:
        rays = camera_rays(portrait.camera, _SURFACE_SIZE)
        depths = plan_depths(rays, portrait.camera, portrait.generator.config, num=64)
        found = surface_quality(portrait.field, rays, depths.along_ray)
        self._add("crossing once", found.crossing_once)
        self._add("steepness", found.steepness)

    def _swapped(self, seed: int, portrait: RegionPortrait) -> list[Tensor]:
        """Swap and show each region, and return the pictures of the swaps."""
        pictures = []
        for number, name in enumerate(self.pipeline.regions):
            if name == BACKGROUND:
                continue
            choice = RegionChoice(name, seed + 1)
            other = self.pipeline(seed, [choice], truncation_psi=1.0)
            found = swap_locality(portrait, other, (number,))
            if found.inside > 0:
                self.swaps.setdefault(name, []).append(found)
            pictures.append(other.render().image[0])
            self._alone(seed, name, number, portrait)
        return pictures

    def _alone(self, seed: int, name: str, number: int, portrait: RegionPortrait) -> None:
        whole = portrait.render(size=_volume_size(portrait))
        assert whole.regions is not None
        mask = widened(mask_of_regions(whole.regions, (number,)))
        for form in ("true", "published"):
            if form == "published" and self.pipeline.generator.decoder is None:
                continue
            alone = self.pipeline(seed, only=[name], semantics=form, truncation_psi=1.0)
            alpha = alone.render(size=_volume_size(portrait)).alpha
            if alpha.shape == mask.shape and bool((mask == 0).any()):
                self.leaks[form].append(float((alpha > 0.5)[mask == 0].float().mean()))

    def _add(self, name: str, *values: float) -> None:
        self.figures.setdefault(name, []).extend(values)


def _volume_size(portrait: RegionPortrait) -> int:
    """Return the size at which depth and alpha are as large as the picture."""
    return portrait.ray_size or portrait.image_size


def _coloured(view: View) -> Tensor:
    """Return the first view's regions as a picture [3, h, h]."""
    assert view.regions is not None
    number = torch.nn.functional.one_hot(region_map(view)[:1], view.regions.shape[1])
    return region_colours(number.movedim(-1, 1))[0] / 127.5 - 1
