"""EG3D's six official configurations: what they say, and the same battery on each of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from toy_stylize import RecolouringEditor

from triptych.camera import orbit
from triptych.config import to_dict
from triptych.errors import UserError
from triptych.models.eg3d import OFFICIAL_CONFIGS, EG3DConfig, TriPlaneGenerator
from triptych.ops.resize import resize
from triptych.portrait import TriPlanePortrait
from triptych.render.rays import camera_rays
from triptych.render.renderer import render_rays
from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.systems.stylize.settings import StylizeSettings
from triptych.weights import load_generator, read_header, registry, save_module
from triptych.weights.safetensors_file import FileHeader, save_tensors

# image, rays, samples, ray limits, box, background, conditioned, head, radius, target, focal
FACES = (48, 48, 2.25, 3.3, 1.0, -1.0, True, "8XDC", 2.7, (0.0, 0.0, 0.2), 4.2647)
CATS = (48, 48, 2.25, 3.3, 1.0, -1.0, True, "8XDC", 2.7, (0.0, 0.0, -0.06), 4.2647)
CARS = (64, 64, 0.1, 2.6, 1.6, 1.0, False, "2X", 1.7, (0.0, 0.0, 0.0), 1.7074)
PUBLISHED = {
    "ffhq512-64": (512, 64, *FACES),
    "ffhq512-128": (512, 128, *FACES),
    "ffhqrebalanced512-64": (512, 64, *FACES),
    "ffhqrebalanced512-128": (512, 128, *FACES),
    "afhqcats512-128": (512, 128, *CATS),
    "shapenetcars128-64": (128, 64, *CARS),
}
HEAD_PARAMETERS = {"8XDC": 1_649_578, "2X": 574_954}
NAMES = list(PUBLISHED)
EMPTY = -1e4


def narrow(config: EG3DConfig) -> EG3DConfig:
    """The same choices and sizes of pictures, few channels and samples."""
    head = config.superresolution
    assert head is not None
    return dataclasses.replace(
        config,
        z_dim=12,
        w_dim=16,
        backbone=dataclasses.replace(
            config.backbone, plane_size=32, channel_base=128, channel_max=8
        ),
        rendering=dataclasses.replace(config.rendering, num_coarse=6, num_fine=4),
        superresolution=dataclasses.replace(head, widths=(6, 4)),
    )


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    """One of the six."""
    return request.param


@pytest.fixture(scope="module")
def model(name) -> TriPlaneGenerator:
    """The configuration of that name with few channels and random weights."""
    return random_model(narrow(OFFICIAL_CONFIGS[name]()))


def random_model(config: EG3DConfig) -> TriPlaneGenerator:
    """A generator that looks different from every side: noise and colours are far from zero."""
    generator = TriPlaneGenerator(config, rng=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for key, tensor in generator.named_parameters():
            if key.endswith("noise_strength"):
                tensor.fill_(0.2)
        generator.decoder.net[2].bias[0] = 3.0
    return generator.eval().requires_grad_(False)


def code(model: TriPlaneGenerator, seed: int = 1) -> torch.Tensor:
    z = torch.randn(1, model.config.z_dim, generator=torch.Generator().manual_seed(seed))
    return model.mapping(z)


def test_every_published_configuration_is_a_preset():
    assert set(OFFICIAL_CONFIGS) == set(PUBLISHED)
    official = [entry for entry in registry.MODELS.values() if entry.published is not None]
    assert {entry.name for entry in official} == set(PUBLISHED)
    assert all(entry.expected_config() == OFFICIAL_CONFIGS[entry.name]() for entry in official)


def test_the_figures_are_the_published_ones(name):
    config = OFFICIAL_CONFIGS[name]()
    rendering, view = config.rendering, config.view
    assert config.superresolution is not None
    assert (
        config.image_size,
        config.render_size,
        rendering.num_coarse,
        rendering.num_fine,
        rendering.ray_start,
        rendering.ray_end,
        config.box_size,
        rendering.background,
        not config.mapping.zero_label,
        config.superresolution.kind,
        view.radius,
        view.target,
        view.focal,
    ) == PUBLISHED[name]
    assert (config.z_dim, config.w_dim, config.label_dim) == (512, 512, 25)
    assert (config.backbone.plane_size, config.backbone.plane_channels) == (256, 32)
    assert config.plane_axes == "legacy"
    assert config.superresolution.conv_clamp == 256
    assert config.backbone.conv_clamp is None


def test_pictures_have_the_published_sizes(model):
    config = model.config
    seen = model.synthesis(code(model), config.view.camera())
    rays = (config.render_size, config.render_size)
    assert seen.features.shape == (1, 32, *rays)
    assert seen.image_raw.shape == (1, 3, *rays)
    assert seen.image.shape == (1, 3, config.image_size, config.image_size)
    assert seen.image.isfinite().all()
    assert seen.image_raw.std() > 1e-3
    near, far = config.rendering.ray_start, config.rendering.ray_end
    assert near <= seen.depth.min()
    assert seen.depth.max() <= far


def test_the_view_turns_with_the_camera(model):
    ws = code(model)
    planes = model.planes(ws)
    camera = model.config.view.camera(torch.tensor([0.0, 0.5]))
    front, side = model.render(planes, ws, camera, render_size=16).image_raw
    assert (front - side).abs().max() > 1e-3


def test_empty_space_shows_the_background(model):
    planes = model.planes(code(model))
    nothing = model.decoder.net[2].bias.clone()
    nothing[0] = EMPTY
    empty = random_model(model.config)
    empty.decoder.net[2].bias.copy_(nothing)
    seen = empty.render(planes, code(model), model.config.view.camera(), render_size=8)
    assert seen.alpha.abs().max() < 1e-6
    assert torch.allclose(seen.image_raw, torch.tensor(model.config.rendering.background))


def test_only_conditioned_models_look_at_the_label(model):
    z = torch.randn(1, model.config.z_dim, generator=torch.Generator().manual_seed(1))
    one, other = orbit(2, (-0.5, 0.5)).label25().split(1)
    spread = (model.mapping(z, one) - model.mapping(z, other)).abs().max()
    assert (spread > 1e-3) == (not model.config.mapping.zero_label)


def test_rays_at_another_size_reach_the_head_at_its_own(model):
    config = model.config
    ws = code(model)
    seen = model.synthesis(ws, config.view.camera(), render_size=64)
    head_size = 64 if config.superresolution.kind == "2X" else 128
    upsampled = resize(seen.features, head_size)
    assert torch.allclose(model.superresolution(upsampled, ws), seen.image, atol=1e-5)


def test_a_generator_comes_back_by_its_name(model, name, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    entry = registry.find(name)
    entry.path.parent.mkdir(parents=True)
    save_module(entry.path, model, licence=entry.licence, dtype=None)
    loaded = load_generator(name)
    assert loaded.config == model.config
    assert torch.equal(loaded.planes(code(model)), model.planes(code(model)))
    portrait = GeneratePipeline.from_pretrained(name)(7)
    assert portrait.config == model.config
    assert portrait.superresolution is not None


def test_stylize_takes_an_official_generator_by_its_name(tmp_path, monkeypatch):
    name = "shapenetcars128-64"  # the quickest of the six
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    entry = registry.find(name)
    entry.path.parent.mkdir(parents=True)
    save_module(entry.path, random_model(narrow(OFFICIAL_CONFIGS[name]())), dtype=None)
    pipeline = StylizePipeline.from_pretrained(name, RecolouringEditor())
    assert pipeline.image_to_triplane is None
    settings = StylizeSettings(
        num_yaw=1,
        num_pitch=1,
        steps=2,
        batch_views=1,
        patch=16,
        strides=(1,),
        mixed_precision=False,
    )
    seed = 3029268929
    result = pipeline("blue", identity=seed, settings=settings)
    plain = GeneratePipeline.from_pretrained(name)(seed)
    assert torch.equal(result.original.planes, plain.planes)
    assert not torch.equal(result.portrait.planes, plain.planes)
    assert result.portrait.planes.isfinite().all()
    assert result.report["settings"]["use_i2t"] == "none"
    provenance = result.portrait.provenance
    assert (provenance["model"], provenance["identity"]) == (name, {"seed": seed})
    assert provenance["model_hashes"]["generator"] == read_header(entry.path).sha256


def test_a_portrait_comes_back_from_its_file(model, tmp_path):
    portrait = TriPlanePortrait.from_generator(model, code(model))
    portrait.save(tmp_path / "exact.safetensors", exact=True)
    loaded = TriPlanePortrait.load(tmp_path / "exact.safetensors")
    assert loaded.config == model.config
    assert torch.equal(loaded.ws, portrait.ws)
    assert torch.equal(few_rays(loaded), few_rays(portrait))
    for key, tensor in portrait.superresolution.state_dict().items():
        assert torch.equal(loaded.superresolution.state_dict()[key], tensor)
    portrait.save(tmp_path / "half.safetensors")
    half = few_rays(TriPlanePortrait.load(tmp_path / "half.safetensors"))
    assert 0 < (half - few_rays(portrait)).abs().max() < 0.05


def test_the_fast_paths_show_what_the_exact_one_shows(model):
    ws, camera = code(model), model.config.view.camera(0.3, 0.1)
    portrait = TriPlanePortrait.from_generator(model, ws, path="exact")
    exact = portrait.render(camera, path="exact")
    assert exact.path == "exact"
    scale = exact.image.abs().max()
    in_float32 = TriPlanePortrait.from_generator(model, ws, path="fast-float32")
    seen = in_float32.render(camera, path="fast-float32")
    assert seen.path == "fast-float32"
    assert (seen.image - exact.image).abs().max() < 1e-4 * scale
    assert (seen.alpha - exact.alpha).abs().max() < 1e-4
    fast = TriPlanePortrait.from_generator(model, ws).render(camera)
    assert fast.path == portrait.path_taken()
    assert fast.path.startswith("fast-")
    assert 10 * torch.log10(4 / (fast.image - exact.image).square().mean()) > 45
    grids = [portrait.geometry_grid(12, path=path) for path in ("fast", "exact")]
    assert torch.allclose(*grids, rtol=0, atol=1e-5 * grids[1].abs().max())


def few_rays(portrait: TriPlanePortrait) -> torch.Tensor:
    rays = camera_rays(portrait.config.view.camera(0.3), 8)
    return render_rays(portrait.field, rays, portrait.config.rendering).features


def test_weights_of_another_configuration_are_named(model, name, tmp_path):
    other = "shapenetcars128-64" if name != "shapenetcars128-64" else "ffhq512-128"
    header = FileHeader("TriPlaneGenerator", to_dict(narrow(OFFICIAL_CONFIGS[other]())))
    save_tensors(tmp_path / "mixed.safetensors", model.state_dict(), header)
    with pytest.raises(UserError, match="do not fit a network of its settings") as caught:
        load_generator(tmp_path / "mixed.safetensors")
    assert "superresolution." in str(caught.value)


def full_size(name: str, folder: Path) -> None:
    """Build a model at its full size, look at it, save it and load it."""
    config = OFFICIAL_CONFIGS[name]()
    model = random_model(config)
    count = sum(parameter.numel() for parameter in model.superresolution.parameters())
    assert count == HEAD_PARAMETERS[config.superresolution.kind]
    ws = code(model)
    portrait = TriPlanePortrait.from_generator(model, ws, path="exact")
    assert portrait.planes.shape == (1, 3, 32, 256, 256)
    seen = portrait.render(path="exact")
    assert seen.image.shape == (1, 3, config.image_size, config.image_size)
    assert seen.image.isfinite().all()
    save_module(folder / "model.safetensors", model, dtype=None)
    loaded = load_generator(folder / "model.safetensors")
    assert torch.equal(loaded.planes(ws), portrait.planes)
    portrait.save(folder / "portrait.safetensors", exact=True)
    again = TriPlanePortrait.load(folder / "portrait.safetensors").render(path="exact")
    assert torch.equal(again.image, seen.image)


@pytest.mark.slow
def test_at_full_size(name, tmp_path):
    full_size(name, tmp_path)
