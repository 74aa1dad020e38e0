"""Stylised heads to measure: the pipeline in miniature, run, read again, fitted four ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import Camera
from triptych.errors import UserError
from triptych.systems.stylize import evaluation_heads as stylised_heads
from triptych.systems.stylize.ablation import (
    VARIANTS,
    AblationSettings,
    fit_variants,
    score_variant,
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
from triptych.systems.stylize.work_folder import RESUME_FOLDER

PROMPT = "a blue statue"


@pytest.fixture
def short(settings: StylizeSettings) -> StylizeSettings:
    return replace(settings, steps=4, evaluate_every=2)


def test_a_finished_run_is_read_instead_of_run_again(
    pipeline: StylizePipeline, editor, short: StylizeSettings, tmp_path: Path
) -> None:
    first = stylise_or_read(pipeline, "blue stone", 3, short, tmp_path, prompt=PROMPT)
    edited = editor.edited
    assert edited == short.num_views
    assert not (tmp_path / RESUME_FOLDER).exists()
    again = stylise_or_read(pipeline, "blue stone", 3, short, tmp_path, prompt=PROMPT)
    assert editor.edited == edited
    assert (again.style, again.identity) == ("blue stone", 3)
    assert torch.equal(again.edited, first.edited)
    torch.testing.assert_close(again.cameras.cam2world, first.cameras.cam2world)
    torch.testing.assert_close(again.original.planes, first.original.planes)
    torch.testing.assert_close(
        again.portrait.render().image, first.portrait.render().image, rtol=0, atol=0.02
    )
    with pytest.raises(UserError, match="another run"):
        stylise_or_read(pipeline, "gold", 3, short, tmp_path, prompt="a gold statue")


def test_the_style_of_a_run_is_read_from_its_prompt(
    pipeline: StylizePipeline, short: StylizeSettings, tmp_path: Path
) -> None:
    stylise_or_read(pipeline, "blue stone", 3, short, tmp_path, prompt="a bronze statue")
    read = StylisedHead.from_run(tmp_path, pipeline.subject)
    assert read.style == "bronze"


def test_folders_that_are_no_runs_are_refused(
    pipeline: StylizePipeline, short: StylizeSettings, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="portrait"):
        StylisedHead.from_run(tmp_path, pipeline.subject)
    stylise_or_read(pipeline, "gold", 3, short, tmp_path, prompt="a gold statue")
    (tmp_path / "views" / "view_002.png").write_bytes(b"not a picture")
    with pytest.raises(UserError, match="view_002.png is not a picture"):
        StylisedHead.from_run(tmp_path, pipeline.subject)
    with pytest.raises(UserError, match="names no style"):
        stylised_heads.style_in("something else")


class _Blueness:
    names = ("blue stone",)

    def probabilities(self, image: Tensor) -> Tensor:
        return image[:, 2:].mean(dim=(2, 3)).sigmoid()


class _MeanDifference:
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).abs().mean(dim=(1, 2, 3))


class _Grey:
    def views(self, seed: int, style: str | None, camera: Camera, size: int) -> TrueViews:
        image = torch.zeros(len(camera), 3, size, size)
        return TrueViews(image, image[:, :1], image[:, 0].long())


def test_variants_share_the_edited_views_and_differ_in_the_fit(
    pipeline: StylizePipeline, editor, short: StylizeSettings, tmp_path: Path
) -> None:
    heads = fit_variants(pipeline, "blue stone", 3, short, tmp_path, prompt=PROMPT)
    assert list(heads) == list(VARIANTS)
    assert editor.edited == short.num_views
    planes = [head.portrait.planes for head in heads.values()]
    assert all(not torch.allclose(planes[0], other, atol=1e-4) for other in planes[1:])
    again = fit_variants(pipeline, "blue stone", 3, short, tmp_path, prompt=PROMPT)
    assert editor.edited == short.num_views
    assert torch.equal(again["none"].portrait.planes, heads["none"].portrait.planes)

    variant = AblationSettings(num_yaw=2, num_pitch=1)
    score = score_variant("full", heads["full"], _Blueness(), _MeanDifference(), _Grey(), variant)
    yaws = torch.tensor([-variant.yaw_range, variant.yaw_range])
    portrait = heads["full"].portrait
    pictures = portrait.render(portrait.config.view.camera(yaws, -variant.pitch_range)).image
    assert score.probability == pytest.approx(float(pictures[:, 2].mean((1, 2)).sigmoid().mean()))
    assert score.to_truth == pytest.approx(float(pictures.abs().mean()), rel=1e-4)
    assert score.recognised == 1.0
    without = score_variant("full", heads["full"], _Blueness(), _MeanDifference(), None, variant)
    assert without.to_truth is None


def test_styles_are_checked_against_the_classifier() -> None:
    class _Classifier:
        names = ("original", "bronze", "elf")

    assert known_styles((), _Classifier()) == ["bronze", "elf"]  # type: ignore[arg-type]
    assert known_styles(["elf"], _Classifier()) == ["elf"]  # type: ignore[arg-type]
    with pytest.raises(UserError, match="gold"):
        known_styles(["gold"], _Classifier())  # type: ignore[arg-type]


def test_prompts_and_folders_of_runs() -> None:
    assert plain_prompt("bronze") == "a bronze statue"
    assert run_folder(Path("out"), "blue stone", 3) == Path("out/runs/blue-stone-00003")
