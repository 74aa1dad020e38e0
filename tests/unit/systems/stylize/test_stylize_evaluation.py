"""The measurement of stylised heads, on coloured planes instead of heads."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from triptych.camera import Camera, frontal_camera, grid_of_views
from triptych.errors import UserError
from triptych.files import write_json
from triptych.models.eg3d import ViewConfig
from triptych.portrait import View
from triptych.render.rays import camera_rays
from triptych.runs.report_file import Report
from triptych.systems.stylize.evaluation import (
    EvaluationSettings,
    HeadScores,
    measure_head,
    stylize_report,
    views_at_eye_level,
)
from triptych.systems.stylize.evaluation_heads import StylisedHead

SIZE = 32


class _ColouredPlane:
    """Stands for a portrait: the plane z = 0.2 in one colour with smooth waves on it."""

    config = SimpleNamespace(view=ViewConfig())

    def __init__(self, *colour: float) -> None:
        self.colour = torch.tensor(colour).view(1, 3, 1, 1)

    def render(self, camera: Camera | None = None) -> View:
        rays = camera_rays(frontal_camera() if camera is None else camera, SIZE)
        distance = (0.2 - rays.origins[..., 2]) / rays.directions[..., 2]
        points = rays.origins + rays.directions * distance[..., None]
        waves = (8 * points[..., 0]).sin() * (8 * points[..., 1]).cos()
        depth = distance.view(-1, 1, SIZE, SIZE)
        image = self.colour + 0.1 * waves.view(-1, 1, SIZE, SIZE)
        return View(image, image, depth, torch.ones_like(depth))


class _RedOrBlue:
    names = ("red", "blue")

    def probabilities(self, image: Tensor) -> Tensor:
        return (20 * image.mean(dim=(2, 3))[:, [0, 2]]).softmax(dim=1)


class _MeanColour:
    def embed(self, image: Tensor) -> Tensor:
        return torch.nn.functional.normalize(image.mean(dim=(2, 3)), dim=1)


@pytest.fixture
def head() -> StylisedHead:
    """A plane turned red; the edits are red in all but the views from the right, and noisy."""
    cameras = Camera.stack([frontal_camera(), grid_of_views(6, 3)])
    result = _ColouredPlane(0.5, 0.0, 0.0)
    edited = result.render(cameras).image
    from_right = cameras.yaw > 0.2
    edited[from_right] = edited[from_right].flip(1)
    generator = torch.Generator().manual_seed(0)
    edited = edited + 0.1 * torch.randn(edited.shape, generator=generator)
    return StylisedHead("red", 7, result, _ColouredPlane(0.5, 0.5, 0.0), cameras, edited)  # type: ignore[arg-type]


def test_scores_of_a_coloured_plane(head: StylisedHead) -> None:
    score = measure_head(head, _RedOrBlue(), _MeanColour(), EvaluationSettings(consistency_views=6))
    assert score.recognised == (True,) * 5
    assert score.edited_recognised == (True, True, True, False, False)
    assert min(score.probability) > 0.99
    assert score.consistency < 0.002
    assert score.edited_consistency > 0.03
    assert score.edited_sharpness > score.sharpness
    assert score.identity_similarity == pytest.approx(math.sqrt(0.5), abs=0.01)
    assert score.pictures.shape == (1 + 1 + 5, 3, SIZE, SIZE)


def test_consistency_is_measured_at_eye_level_without_the_extra_front(head: StylisedHead) -> None:
    # The grid's rows are at -30, 0 and 30 degrees; view 0 is the extra front.
    assert views_at_eye_level(head, 6).tolist() == [7, 8, 9, 10, 11, 12]


def test_the_kinder_depth_counts_for_the_edits(head: StylisedHead) -> None:
    class _TooNear(_ColouredPlane):
        def render(self, camera: Camera | None = None) -> View:
            view = super().render(camera)
            return replace(view, depth=view.depth - 0.3)

    right = head.portrait.render(head.cameras)
    plain = replace(head, edited=right.image)  # edits that agree with the plane
    settings = EvaluationSettings(consistency_views=6)
    wrong_head = replace(plain, original=_TooNear(0.5, 0.5, 0.0))  # type: ignore[arg-type]
    wrong_result = replace(plain, portrait=_TooNear(0.5, 0.0, 0.0))  # type: ignore[arg-type]
    networks = (_RedOrBlue(), _MeanColour(), settings)
    assert measure_head(wrong_head, *networks).edited_consistency < 0.002
    assert measure_head(wrong_result, *networks).edited_consistency < 0.002
    wrong_both = replace(wrong_head, portrait=_TooNear(0.5, 0.0, 0.0))  # type: ignore[arg-type]
    assert measure_head(wrong_both, *networks).edited_consistency > 0.005


def _scores(style: str, right: int, edited_right: int, error: float) -> HeadScores:
    return HeadScores(
        style=style,
        identity=0,
        recognised=tuple(index < right for index in range(5)),
        probability=(0.5,) * 5,
        edited_recognised=tuple(index < edited_right for index in range(5)),
        edited_probability=(0.5,) * 5,
        consistency=error,
        edited_consistency=0.06,
        sharpness=0.1,
        edited_sharpness=0.2,
        identity_similarity=0.9,
        pictures=torch.zeros(1, 3, 4, 4),
    )


def test_report_counts_styles_by_the_majority_of_their_pictures() -> None:
    scores = [
        _scores("bronze", 5, 3, 0.01),
        _scores("bronze", 1, 1, 0.03),  # 6 of 10: recognised; its edits 4 of 10: not
        _scores("elf", 2, 5, 0.02),  # 2 of 5: not recognised; its edits: yes
    ]
    report: Report = stylize_report(scores, EvaluationSettings())
    summary = report.summary
    assert (summary["styles recognised"], summary["styles"]) == (1, 2)
    assert summary["styles recognised in the edited views"] == 1
    assert summary["heads per style"] == 2
    assert summary["pictures recognised"] == pytest.approx(8 / 15)
    assert summary["re-projection error"] == pytest.approx(0.02)
    assert summary["times more consistent"] == pytest.approx(3.0)
    rows = {row[0]: row for row in report.tables["By style"].rows}
    assert rows["bronze"][1:5] == ("yes", "no", 0.6, 0.4)
    assert rows["elf"][1:5] == ("no", "yes", 0.4, 1.0)


def test_runs_of_portrait_files_are_refused(pipeline, tmp_path):
    head = pipeline.subject(3)
    provenance = {"identity": {"model": "lifted"}, "prompt": "a bronze statue"}
    replace(head, provenance=provenance).save(tmp_path / "portrait.safetensors")
    (tmp_path / "views").mkdir()
    write_json(tmp_path / "views" / "views.json", {"prompt": "a bronze statue", "views": []})
    with pytest.raises(UserError, match="stylised a portrait file.*--identity SEED"):
        StylisedHead.from_run(tmp_path, pipeline.subject)
