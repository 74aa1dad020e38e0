"""Folded networks and the fast path of a portrait equal the exact ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_compose import TINY, WITHOUT_DECODER, tiny_region_generator

from triptych.metrics.image_metrics import psnr
from triptych.ops import precision
from triptych.systems.compose.folded_field import FoldedRegionField
from triptych.systems.compose.pipeline import ComposePipeline

RAW = replace(TINY, membership="raw")


def _field(config, batch=1, **changes):
    generator, rng = tiny_region_generator(config), torch.Generator().manual_seed(2)
    codes = torch.randn(batch, config.num_codes, config.style_dim, generator=rng)
    points = (torch.rand(batch, 200, 3, generator=rng) * 2 - 1) * config.half_box
    directions = torch.nn.functional.normalize(torch.randn(batch, 200, 3, generator=rng), dim=2)
    return replace(generator.field(codes), **changes), points, directions


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (TINY, {}),
        (RAW, {"shown": (1, 7)}),
        (replace(TINY, sampling=replace(TINY.sampling, directions="real")), {"only": (1, 7)}),
    ],
)
@torch.no_grad()
def test_folded_networks_equal_the_exact_ones(config, changes):
    field, points, directions = _field(config, batch=2, **changes)
    folded, exact = FoldedRegionField.of(field), field.query(points, directions)
    found = folded.query(points, directions)
    assert torch.allclose(found.geometry, exact.geometry, atol=2e-5)
    assert torch.allclose(found.regions, exact.regions, atol=1e-4)
    assert torch.allclose(found.features, exact.features, atol=2e-4)
    assert torch.allclose(folded.geometry(points), field.geometry(points), atol=2e-5)


def test_gradients_of_folded_networks_are_the_exact_ones():
    field, points, directions = _field(TINY, batch=2)
    field.networks.requires_grad_(True)
    gradients = []
    for one in (field, FoldedRegionField.of(field)):
        codes = one.codes.clone().requires_grad_(True)
        one = (
            type(one).of(replace(field, codes=codes))
            if one is not field
            else replace(field, codes=codes)
        )
        sample = one.query(points, directions)
        loss = sample.geometry.square().mean() + (sample.features * sample.features).mean()
        weights = [codes, *field.networks.network.parameters()]
        gradients.append(torch.autograd.grad(loss, weights, allow_unused=True))
    for exact, folded in zip(*gradients, strict=True):
        assert (exact is None) == (folded is None)
        if exact is not None:
            assert torch.allclose(folded, exact, atol=1e-3 * float(exact.abs().max()) + 1e-8)


@pytest.mark.parametrize(
    ("config", "request_"),
    [
        (TINY, {}),
        (WITHOUT_DECODER, {}),
        (RAW, {"only": ["hair", "face"]}),
        (RAW, {"only": ["hair", "face"], "semantics": "published"}),
        (replace(TINY, last_sample="ignored", background=0.5), {}),
    ],
)
def test_the_fast_path_shows_what_the_exact_one_does(config, request_):
    portrait = ComposePipeline(tiny_region_generator(config))(3, **request_)
    camera = portrait.orbit(torch.tensor([0.0, 0.3]))
    exact, fast = portrait.render(camera, path="exact"), portrait.render(camera)
    assert (exact.path, fast.path) == ("exact", "fast-float32")
    solid = exact.alpha > 0.5
    assert 0 < float(solid.float().mean()) < 1
    spread = float(exact.image.std())
    assert float((fast.image - exact.image).abs().max()) < 0.01 * max(1.0, spread)
    assert float((fast.alpha - exact.alpha).abs().max()) < 2e-3
    assert float((fast.depth - exact.depth)[solid].abs().max()) < 2e-3


def test_where_bfloat16_is_fast_products_are_in_it(monkeypatch):
    portrait = ComposePipeline(tiny_region_generator(WITHOUT_DECODER))(3)
    exact = portrait.render(path="exact").image
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    fast, whole = portrait.render(), portrait.render(path="fast-float32")
    assert (fast.path, whole.path) == ("fast-bfloat16", "fast-float32")
    away, rounding = (float((view.image - exact).abs().max()) for view in (fast, whole))
    assert 0.01 < away < 0.3, "random networks are rougher than trained ones"
    assert rounding < 0.01


@pytest.mark.thorough
def test_bfloat16_is_not_seen_in_the_embedded_model(monkeypatch):
    portrait = ComposePipeline.from_pretrained()(3)
    whole = portrait.render(path="fast-float32").image
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    assert float(psnr(portrait.render().image, whole)) > 55


def test_a_fast_grid_has_the_exact_signs_and_the_exact_surface():
    portrait = ComposePipeline(tiny_region_generator())(3)
    exact, fast = portrait.geometry_grid(48, path="exact"), portrait.geometry_grid(48)
    assert torch.equal(exact > 0, fast > 0)
    near = exact.abs() < 0.02
    assert torch.allclose(fast[near], exact[near], atol=1e-5)
    assert float((fast - exact).abs().max()) < 0.03, "beyond, it is interpolated"


def test_soft_surfaces_are_seen_in_all_samples():
    generator = tiny_region_generator()
    generator.renderer.sigmoid_beta.fill_(0.1)
    portrait = ComposePipeline(generator)(3)
    exact, fast = portrait.render(path="exact"), portrait.render()
    assert float((fast.image - exact.image).abs().max()) < 1e-4
    assert float((fast.depth - exact.depth).abs().max()) < 1e-4
