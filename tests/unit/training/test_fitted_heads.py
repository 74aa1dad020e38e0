"""Heads fitted to their avatars: named by what they are made from, refused where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_portraits import tiny_config, tiny_portrait

from triptych.avatars.sets.true_heads import TrueViews
from triptych.errors import UserError
from triptych.training.fitted_heads import FittedHeadConfig, FittedHeads
from triptych.training.plane_fitting import PlaneFitConfig

CONFIG = FittedHeadConfig(
    views=2, size=32, fit=PlaneFitConfig(steps=2, rays=100, patches=1, patch=16, empty_points=50)
)


class Discs:
    """Heads that are discs before the camera, of a colour that their seed decides."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def views(self, seed, style, camera, size) -> TrueViews:
        self.asked.append(seed)
        line = torch.linspace(-1, 1, size)
        disc = (line[:, None].square() + line.square() < 0.4).expand(len(camera), -1, -1)
        colour = torch.where(disc, seed / 10 - 0.5, 0.5)[:, None].expand(-1, 3, -1, -1)
        depth = torch.where(disc, 2.6, 0.0)
        return TrueViews(colour, disc[:, None].float(), disc.long(), depth)


def distance(pred, target):
    return (pred - target).square().mean((1, 2, 3))


def fitted(tmp_path, heads=None, config=CONFIG) -> FittedHeads:
    return FittedHeads(heads or Discs(), distance, config, tmp_path)


def test_only_the_planes_change_and_the_record_says_so(tmp_path):
    portrait = tiny_portrait()
    told = []
    refined = fitted(tmp_path)(portrait, 3, progress=lambda *step: told.append(step))
    assert refined.planes.shape == portrait.planes.shape
    assert not torch.equal(refined.planes, portrait.planes)
    assert refined.decoder is portrait.decoder
    assert refined.provenance["made"] == "for a test"
    assert refined.provenance["refined"]["views"] == 2
    assert told == [(1, 2), (2, 2)]
    with torch.no_grad():
        assert torch.equal(fitted(tmp_path / "again")(portrait, 3).planes, refined.planes)


def test_a_head_is_fitted_once_and_another_request_again(tmp_path):
    portrait = tiny_portrait()
    first = fitted(tmp_path)(portrait, 3)
    told = []
    again = fitted(tmp_path)(portrait, 3, progress=lambda *step: told.append(step))
    assert torch.equal(first.planes, again.planes)
    assert told == []
    for heads, start, config in (
        (4, portrait, CONFIG),
        (3, replace(portrait, planes=portrait.planes + 0.1), CONFIG),
        (3, portrait, replace(CONFIG, fit=replace(CONFIG.fit, l1=2.0))),
    ):
        fitted(tmp_path, config=config)(start, heads)
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


def test_a_generator_without_avatars_is_refused_before_any_render(tmp_path):
    heads = Discs()
    config = replace(tiny_config(), latent_kind="gaussian")
    with pytest.raises(UserError, match="no avatar to be refined to"):
        fitted(tmp_path, heads)(replace(tiny_portrait(), config=config), 3)
    assert heads.asked == []


def test_a_cache_that_cannot_be_used_is_one_error_before_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file; expected a folder"):
        fitted(tmp_path / "file")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(UserError, match="no space left"):
        fitted(tmp_path / "full")


def test_missing_assets_are_one_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_MAKEHUMAN", str(tmp_path / "none.npz"))
    with pytest.raises(UserError, match="head assets: got"):
        FittedHeads(perceptual=distance, cache=tmp_path)
