"""Every pipeline on a device that is not the CPU: nothing may be left behind."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from pretended_device import pretended_device
from toy_editor import tiny_editor_parts
from toy_inversion import CAMERA, SETTINGS, head_of, toy_pipeline
from toy_portraits import tiny_config, tiny_generator, tiny_portrait, tiny_superresolved_config

from triptych.editors.image_editor import EditorConfig
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.metrics.identity import AvatarIdentity
from triptych.metrics.metric_networks import MetricNetworks
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.photos.matting import HeadMatting
from triptych.portrait import TriPlanePortrait
from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.systems.invert.refinement import latent
from triptych.systems.stylize.pipeline import StylizePipeline

CONFIGS = {"rays at the image size": tiny_config, "super-resolution": tiny_superresolved_config}


@pytest.fixture
def device():
    with pretended_device() as device:
        yield device


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]()


def features() -> AvatarFeatures:
    config = FeatureNetworkConfig(("original", "bronze"), 5, channels=(4, 4, 4, 4, 4))
    return AvatarFeatures(config).eval()


def is_on(portrait: TriPlanePortrait, device: torch.device) -> bool:
    tensors = [portrait.planes, portrait.ws, portrait.camera.cam2world, portrait.camera.intrinsics]
    return {tensor.device for tensor in [*tensors, *portrait.decoder.parameters()]} == {device}


def test_a_seed_is_the_same_head_on_every_device(config, device):
    here = GeneratePipeline(tiny_generator(config))(4)
    there = GeneratePipeline(tiny_generator(config)).to(device)(4)
    assert is_on(there, device)
    torch.testing.assert_close(there.ws.cpu(), here.ws)
    torch.testing.assert_close(there.planes.cpu(), here.planes)


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_a_portrait_looks_the_same_on_every_device(config, device, path):
    here = tiny_portrait(config)
    there = here.to(device)
    camera = config.view.camera(0.3, 0.1)
    view = there.render(camera, path=path)
    assert {view.image.device, view.depth.device, view.alpha.device} == {device}
    torch.testing.assert_close(
        view.image.cpu(), here.render(camera, path="exact").image, atol=3e-3, rtol=0
    )


def test_jitter_is_the_same_on_every_device(config, device):
    pictures = []
    for where in ("cpu", device):
        generator = tiny_generator(config).to(where)
        ws = generator.mapping(generator.latent(1))
        rng = torch.Generator().manual_seed(3)
        shown = generator.synthesis(
            ws, config.view.camera().to(where), noise_mode="random", generator=rng
        )
        pictures.append(shown.image.cpu())
    torch.testing.assert_close(*pictures)


def test_stylizing_stays_on_the_device(device, tiny_generator, tiny_network, settings, tmp_path):
    settings = dataclasses.replace(
        settings, num_yaw=1, num_pitch=1, steps=1, perceptual_weight=1.0, evaluate_every=1
    )
    network = features()
    planes = []
    for where in ("cpu", device):
        parts = vars(tiny_editor_parts())
        config = EditorConfig(image_size=32, num_steps=2, noise_level=0.5)
        pipeline = StylizePipeline(
            copy.deepcopy(tiny_generator),
            copy.deepcopy(tiny_network),
            InstructPix2PixEditor(**parts, config=config),
            AvatarPerceptualDistance(network),
            matting=HeadMatting(network, 0.5),
        ).to(where)
        made = pipeline("a bust", identity=3, settings=settings)
        planes.append(made.portrait.planes.cpu())
    assert is_on(made.portrait, device)
    torch.testing.assert_close(*planes, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_inverting_stays_on_the_device(device, monkeypatch):
    config = tiny_superresolved_config()
    monkeypatch.setattr(latent, "_SEEDS", 64)
    settings = dataclasses.replace(
        SETTINGS,
        refine="pti",
        refine_camera=True,
        camera_steps=1,
        latent=dataclasses.replace(SETTINGS.latent, beyond=0.0, heads=2, steps=1),
        codes=dataclasses.replace(SETTINGS.codes, steps=2, prior=1.0),
        tuning=dataclasses.replace(SETTINGS.tuning, steps=1),
    )
    network = features()
    picture = head_of(tiny_generator(config))
    codes = []
    for where in ("cpu", device):
        pipeline = toy_pipeline(tiny_generator(config))
        pipeline.networks = MetricNetworks(
            AvatarPerceptualDistance(network), AvatarIdentity(network), {}
        )
        found = pipeline.to(where)(picture, camera=CAMERA, settings=settings)
        codes.append(found.portrait.ws.cpu())
    assert is_on(found.portrait, device)
    torch.testing.assert_close(*codes, atol=1e-4, rtol=1e-4)
