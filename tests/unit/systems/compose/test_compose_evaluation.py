"""The measurement of portraits of regions, and the quality of a distance, on known shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from toy_compose import WITHOUT_DECODER, tiny_region_generator

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import frontal_camera
from triptych.errors import UserError
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.render.rays import Rays, camera_rays
from triptych.systems.compose.evaluation import ComposeSettings, measure_compose
from triptych.systems.compose.pipeline import ComposePipeline
from triptych.systems.compose.regions import AVATAR_ORDER
from triptych.systems.compose.surface_quality import surface_quality

SIZE = WITHOUT_DECODER.render_size


@dataclass
class Ball:
    """A ball of radius 0.3 whose distance is twice too steep."""

    box_size: float = 1.0

    def geometry(self, points):
        return 2 * (points.norm(dim=-1, keepdim=True) - 0.3)


class Shells(Ball):
    """The same, with a shell round it."""

    def geometry(self, points):
        radius = points.norm(dim=-1, keepdim=True)
        return torch.minimum(2 * (radius - 0.2), (radius - 0.4).abs() - 0.05)


class SameHeads:
    """Truth that is what the pipeline itself shows, lighter by 0.02."""

    def __init__(self, pipeline):
        self.pipeline = pipeline

    def views(self, seed, style, camera, size):
        view = self.pipeline(seed, truncation_psi=1.0).render(camera, size)
        shares = torch.cat([view.regions[:, :1] + 1 - view.alpha, view.regions[:, 1:]], dim=1)
        return TrueViews(view.image + 0.02, view.alpha, shares.argmax(dim=1))


def difference(first, second):
    return (first - second).abs().mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def pipeline():
    config = replace(
        WITHOUT_DECODER,
        regions=AVATAR_ORDER,
        style_dim=ATTRIBUTE_DIM,
        latent_kind="attributes",
        last_sample="ignored",
    )
    return ComposePipeline(tiny_region_generator(config), "toy")


def test_the_quality_of_a_distance_by_hand():
    rays = camera_rays(frontal_camera(), 16)
    depths = torch.linspace(2.0, 3.4, 80).expand(1, 256, -1)
    found = surface_quality(Ball(), rays, depths)
    assert found.crossing_once == 1.0
    assert found.steepness == pytest.approx(2.0, abs=1e-3)
    assert surface_quality(Shells(), rays, depths).crossing_once < 0.1
    beside = Rays(rays.origins + torch.tensor([5.0, 0, 0]), rays.directions)
    assert surface_quality(Ball(), beside, depths).steepness == 0.0


def test_figures_of_heads_that_are_the_truth(pipeline):
    steps = []
    findings = measure_compose(
        pipeline,
        SameHeads(pipeline),
        difference,
        ComposeSettings(count=1, views=2, first_seed=5),
        step=lambda *_: steps.append(1),
    )
    summary, tables = findings.report.summary, findings.report.tables
    assert steps == [1]
    assert summary["psnr"] == pytest.approx(40.0, abs=1e-2)  # 0.02 of a range of 2
    assert summary["perceptual"] == pytest.approx(0.02, abs=1e-5)
    assert (summary["silhouette iou"], summary["region iou"]) == (1.0, 1.0)
    assert 0 < summary["crossing once"] <= 1
    assert summary["seconds per view"] > 0
    swapped = dict(tables["Swaps"].rows)
    assert set(swapped) <= set(AVATAR_ORDER[1:])
    assert dict(tables["One region alone"].rows)["true"] < 0.5
    # truth, head, regions, and a swap of each of eight regions
    assert [picture.shape for picture in findings.rows[0]] == [(3, SIZE, SIZE)] * 11


@pytest.mark.thorough
def test_models_of_normal_latents_are_measured_without_truth():
    pipeline = ComposePipeline(tiny_region_generator())
    findings = measure_compose(pipeline, None, difference, ComposeSettings(count=1, views=1))
    assert "psnr" not in findings.report.summary
    leaks = dict(findings.report.tables["One region alone"].rows)
    assert leaks["true"] < leaks["published"], "the published form keeps all geometry"


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match="count"):
        ComposeSettings(count=0)
    with pytest.raises(UserError, match="first_seed"):
        ComposeSettings(first_seed=-1)
