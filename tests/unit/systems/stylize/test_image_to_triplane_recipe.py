"""Pre-training of Image-to-Triplane in miniature: it learns, and its pictures are kept."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from pretended_device import pretended_device

from triptych.errors import UserError
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.eg3d import TriPlaneGenerator, avatar_config
from triptych.models.latents import latent_from_seed
from triptych.portrait import TriPlanePortrait
from triptych.render.rays import Rays
from triptych.systems.stylize import recipe as recipe_module
from triptych.systems.stylize.frontal_cache import FrontalCache
from triptych.systems.stylize.image_to_triplane import ImageToTriplane, ImageToTriplaneConfig
from triptych.systems.stylize.models import load_image_to_triplane
from triptych.training.loop import Progress, TrainingResult
from triptych.weights import save_module

_BASE = avatar_config(ATTRIBUTE_DIM)
TINY_PRIOR = dataclasses.replace(
    _BASE,
    w_dim=16,
    image_size=32,
    render_size=32,
    backbone=dataclasses.replace(
        _BASE.backbone, plane_size=16, plane_channels=4, channel_base=128, channel_max=16
    ),
    rendering=dataclasses.replace(_BASE.rendering, num_coarse=6, num_fine=6),
)
TINY_NETWORK = ImageToTriplaneConfig(
    image_size=16,
    plane_size=16,
    plane_channels=4,
    code_size=4,
    code_channels=16,
    encoder_channels=(8, 16, 16),
    encoder_attention=1,
    decoder_channels=(16, 16, 16),
    modulation_hidden=8,
)


@pytest.fixture
def prior_file(tmp_path):
    path = tmp_path / "prior.safetensors"
    save_module(path, TriPlaneGenerator(TINY_PRIOR), dtype=None)
    return path


@pytest.fixture
def options(prior_file, tmp_path):
    start = tmp_path / "start.safetensors"
    save_module(start, ImageToTriplane(TINY_NETWORK), dtype=None)
    return recipe_module.Options(
        generator=str(prior_file),
        start_from=str(start),
        cache=str(tmp_path / "cache"),
        cached_heads=3,
        batch_heads=3,
        patch=8,
        strides=(1, 2),
    )


def test_cache_shows_the_priors_heads_from_the_front(tmp_path):
    generator = TriPlaneGenerator(TINY_PRIOR).eval()
    cache = FrontalCache(tmp_path, generator, 3, 100_000)
    images, latents = cache.get(torch.tensor([2]))
    z = latent_from_seed(100_002, ATTRIBUTE_DIM, "attributes")
    assert torch.equal(latents, z)
    with torch.no_grad():
        shown = TriPlanePortrait.from_generator(generator, generator.mapping(z)).render().image
    assert (images - shown.clamp(-1, 1)).abs().max() <= 0.5 / 127.5 + 1e-6


def test_cache_is_rendered_once(tmp_path):
    generator = TriPlaneGenerator(TINY_PRIOR).eval()
    lines: list[str] = []
    FrontalCache(tmp_path, generator, 2, 100_000, lines.append)
    first = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    FrontalCache(tmp_path, generator, 2, 100_000, lines.append)
    assert lines == ["rendered 2 of 2 frontal pictures"]
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == first
    other = TriPlaneGenerator(TINY_PRIOR, rng=torch.Generator().manual_seed(5)).eval()
    FrontalCache(tmp_path, other, 2, 100_000, lines.append)
    assert len(lines) == 2


def test_network_learns_the_planes_of_a_few_heads(options):
    recipe = recipe_module.build(options)
    optimiser = torch.optim.Adam(recipe.network.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    history = []
    for step in range(40):
        loss, figures = recipe.loss(Progress(step, 0.0), generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(figures)
    assert history[-1]["plane"] < 0.8 * history[0]["plane"]
    assert history[-1]["colour"] < 0.8 * history[0]["colour"]
    assert all(p.grad is None for p in recipe.generator.parameters())


def test_evaluation_sheet_and_export(options, tmp_path):
    recipe = recipe_module.build(options)
    metrics = recipe.evaluate(recipe.modules)
    assert metrics["plane_l1"] > 0
    assert 5 < metrics["side_psnr"] < 60
    recipe.sheet(recipe.modules, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 500
    result = TrainingResult(recipe.modules, 7, metrics)
    recipe_module.export(recipe, result, tmp_path / "i2t.safetensors")
    loaded = load_image_to_triplane(tmp_path / "i2t.safetensors")
    assert loaded.config == TINY_NETWORK


def test_a_perfect_network_has_no_ray_loss(options):
    recipe = recipe_module.build(options)
    z = latent_from_seed(0, ATTRIBUTE_DIM, "attributes")
    planes = recipe.generator.planes(recipe.generator.mapping(z)).detach()
    generator = torch.Generator().manual_seed(0)
    same = recipe._compare_rays(planes, planes, generator)
    assert [float(term) for term in same] == [0.0, 0.0, 0.0]
    other = recipe._compare_rays(planes + 1.0, planes, generator)
    assert all(float(term) > 0 for term in other)


def test_prior_of_unknown_size_is_refused(options):
    with pytest.raises(UserError, match="planes of 16 pixels"):
        recipe_module.build(dataclasses.replace(options, start_from=None))


class _Slab:
    """Matter at one distance from a camera at (0, 0, 2.7)."""

    def __init__(self, distance: float) -> None:
        self._distance = distance

    def geometry(self, points: torch.Tensor) -> torch.Tensor:
        beside = (2.7 - points[..., 2:] - self._distance).abs()
        return torch.where(beside < 0.05, 50.0, -50.0)


def test_samples_lie_where_either_field_has_matter(options):
    recipe = recipe_module.build(options)
    origins = torch.tensor([0.0, 0.0, 2.7]).expand(1, 40, 3)
    rays = Rays(origins, torch.tensor([0.0, 0.0, -1.0]).expand(1, 40, 3))
    nowhere = 9.0

    def samples_near(distance: float, true_at: float, made_at: float) -> float:
        draws = torch.Generator().manual_seed(0)
        depths = recipe._depths(_Slab(true_at), _Slab(made_at), rays, draws)
        assert (depths.diff(dim=-1) >= 0).all()
        return float(((depths - distance).abs() < 0.15).sum(-1).float().mean())

    for distance in (2.45, 3.05):
        by_chance = samples_near(distance, nowhere, nowhere)
        assert samples_near(distance, distance, nowhere) > by_chance + 2
        assert samples_near(distance, nowhere, distance) > by_chance + 2


@pytest.mark.thorough
def test_it_trains_on_another_device(options, tmp_path):
    with pretended_device() as device:
        recipe = recipe_module.build(dataclasses.replace(options, device=str(device)))
        loss, _ = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
        assert loss.device == device
        loss.backward()
        modules = {"image_to_triplane": recipe.network.eval()}
        assert set(recipe.evaluate(modules)) == {"plane_l1", "side_psnr"}
        recipe.sheet(modules, tmp_path / "sheet.png")
