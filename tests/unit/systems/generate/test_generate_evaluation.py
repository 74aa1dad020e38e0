"""The prior's protocol with a generator that draws known colours."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from toy_portraits import tiny_generator

from triptych.avatars.sets.true_heads import TrueViews, unseen_cameras
from triptych.camera import Camera
from triptych.errors import UserError
from triptych.portrait import TriPlanePortrait, View
from triptych.systems.generate import evaluation
from triptych.systems.generate.evaluation import PriorSettings, measure_prior

SIZE = 8
PORTRAIT_OF = evaluation.portrait_of


@pytest.fixture(autouse=True)
def _grey_portraits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "portrait_of", lambda generator, seed, fitted: _Grey(seed))


class _Grey:
    """A head in one grey, covering the left half; large, half as contrasted as the true one."""

    image_size = SIZE

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def render(self, camera: Camera, size: int, path: str = "fast") -> View:
        image = torch.zeros(len(camera), 3, size, size)
        alpha = torch.zeros(len(camera), 1, size, size)
        alpha[..., : size // 2] = 1.0
        if size != SIZE:
            image = 0.5 * _TrueHeads().views(self.seed, None, camera, size).image
        return View(image, image, alpha, alpha)


class _TrueHeads:
    """Heads whose left half is lighter than the drawn ones: the face by 0.2, the hair by 0.02."""

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def views(self, seed: int, style: str | None, camera: Camera, size: int) -> TrueViews:
        assert style is None
        self.seeds += [seed] * (size == SIZE)
        image = torch.zeros(len(camera), 3, size, size)
        regions = torch.zeros(len(camera), size, size, dtype=torch.long)
        quarter, half = size // 4, size // 2
        image[..., :quarter], regions[..., :quarter] = 0.2, 1
        image[..., quarter:half], regions[..., quarter:half] = 0.02, 7
        return TrueViews(image, (regions > 0)[:, None].float(), regions)


class _MeanDifference:
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).abs().mean(dim=(1, 2, 3))


class _EveryoneIsAlike:
    def embed(self, image: Tensor) -> Tensor:
        return torch.ones(len(image), 1)


def test_figures_of_known_differences() -> None:
    heads, steps = _TrueHeads(), []
    findings = measure_prior(
        None,  # type: ignore[arg-type]
        heads,
        _MeanDifference(),
        _EveryoneIsAlike(),
        PriorSettings(count=3, views=2, first_seed=5, pictured=2),
        step=lambda *_: steps.append(1),
    )
    summary = findings.report.summary
    assert heads.seeds == [5, 6, 7]
    assert len(steps) == 3
    # Squared errors: 0.04 over a quarter, 0.0004 over a quarter, 0 over half: mean 0.0101.
    whole = 10 * torch.log10(torch.tensor(4 / 0.0101)).item()
    assert summary["psnr"] == pytest.approx(whole, abs=1e-4)
    assert summary["psnr_head"] == pytest.approx(whole - 3.0103, abs=1e-3)
    assert summary["psnr_face"] == pytest.approx(20.0, abs=1e-4)
    assert summary["iou"] == 1.0
    assert summary["identity"] == 1.0
    assert summary["perceptual"] == pytest.approx(0.055, abs=1e-6)
    by_region = dict(findings.report.tables["By region"].rows)
    assert by_region["face"] == pytest.approx(20.0, abs=1e-4)
    assert by_region["hair"] == pytest.approx(40.0, abs=1e-3)
    assert by_region["eye"] is None
    assert summary["gradient at 256 pixels"] == pytest.approx(0.5)
    detail = {row[0]: row[1:] for row in findings.report.tables["Detail at 256 pixels"].rows}
    assert detail["hair"][0] == pytest.approx(0.5)
    assert detail["ears"] == (None, None)
    assert [[tuple(picture.shape) for picture in row] for row in findings.rows] == [
        [(3, SIZE, SIZE)] * 4
    ] * 2


def test_cameras_start_in_front_and_depend_on_the_seed_only() -> None:
    camera = unseen_cameras(3, 4, yaw_range=0.5, pitch_range=0.2)
    assert float(camera.yaw[0].abs()) < 1e-6
    assert float(camera.yaw.abs().max()) <= 0.5 + 1e-5
    assert float(camera.pitch.abs().max()) <= 0.2 + 1e-5
    again, other = unseen_cameras(3, 4, 0.5, 0.2), unseen_cameras(4, 4, 0.5, 0.2)
    assert torch.equal(camera.cam2world, again.cam2world)
    assert not torch.equal(camera.cam2world, other.cam2world)


def test_nothing_to_measure_is_a_mistake() -> None:
    with pytest.raises(UserError, match="got 0 and 4"):
        PriorSettings(count=0)


def test_a_refined_head_is_measured_as_it_was_fitted() -> None:
    generator = tiny_generator()
    asked = []

    def fitted(portrait: TriPlanePortrait, seed: int) -> TriPlanePortrait:
        asked.append(seed)
        return replace(portrait, planes=portrait.planes + 1)

    plain = PORTRAIT_OF(generator, 7, None)
    refined = PORTRAIT_OF(generator, 7, fitted)  # type: ignore[arg-type]
    assert asked == [7]
    assert torch.equal(refined.planes, plain.planes + 1)
