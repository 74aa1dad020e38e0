"""Stylising with the published systems' structure in miniature.

EG3D with pose labels and a super-resolution head, InstructPix2Pix with its autoencoder and text
encoder, a perceptual distance on whole pictures: what benchmarks/full_size_stylize.py runs at full
size.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_editor import tiny_editor_parts

from triptych.editors.image_editor import EditorConfig
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.models.eg3d import OFFICIAL_CONFIGS, TriPlaneGenerator
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.portrait import TriPlanePortrait
from triptych.systems.stylize.image_to_triplane import ImageToTriplane, ImageToTriplaneConfig
from triptych.systems.stylize.pipeline import Stylized, StylizePipeline
from triptych.systems.stylize.settings import StylizeSettings

SETTINGS = StylizeSettings(
    num_yaw=2,
    num_pitch=1,
    edit_batch=1,
    steps=4,
    batch_views=2,
    evaluate_every=2,
    held_out_fraction=0.4,
    learning_rate=5e-3,
    warmup_steps=1,
    mixed_precision=False,
)
EDITING = EditorConfig(
    image_size=32,
    text_guidance=3.0,
    num_steps=3,
    prompt_template="turn it into {}, detail",
    negative_prompt="ugly",
)


def squared(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    assert first.shape[-2:] == (128, 128)
    return (first - second).square().mean((1, 2, 3))


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    """ffhq512-128 with few channels, rays at 16 and pictures at 128 pixels."""
    config = OFFICIAL_CONFIGS["ffhq512-128"]()
    narrow = dataclasses.replace(
        config,
        z_dim=12,
        w_dim=16,
        image_size=128,
        render_size=16,
        backbone=dataclasses.replace(
            config.backbone, plane_size=32, plane_channels=4, channel_base=128, channel_max=8
        ),
        decoder=dataclasses.replace(config.decoder, num_hidden=8, num_features=8),
        rendering=dataclasses.replace(config.rendering, num_coarse=8, num_fine=8),
        superresolution=SuperResolutionConfig(kind="2X", widths=(4, 4)),
    )
    model = TriPlaneGenerator(narrow, rng=torch.Generator().manual_seed(5))
    with torch.no_grad():
        model.decoder.net[2].bias[0] = 3.0
    return model.eval().requires_grad_(False)


@pytest.fixture
def pipeline(generator) -> StylizePipeline:
    network = ImageToTriplaneConfig(
        image_size=64,
        plane_size=32,
        plane_channels=4,
        code_size=8,
        code_channels=8,
        encoder_channels=(8, 8, 8, 8),
        decoder_channels=(8, 8, 8),
        modulation_hidden=8,
    )
    torch.manual_seed(1)
    editor = InstructPix2PixEditor(
        **vars(tiny_editor_parts()), config=EDITING, precision="float32", views_per_batch=1
    )
    return StylizePipeline(
        generator,
        ImageToTriplane(network),
        editor,
        squared,
        name="published layout",
        seconds_between_checkpoints=0.0,
    )


def run(pipeline, folder=None, progress=None, **changes) -> Stylized:
    settings = dataclasses.replace(SETTINGS, **changes)
    return pipeline("a cat", identity=5, work_dir=folder, progress=progress, settings=settings)


def test_views_pass_the_head_and_the_planes_learn(pipeline, generator):
    result = run(pipeline)
    assert result.views.images.shape == (3, 3, 128, 128)
    assert result.views.originals.depth.shape == (3, 1, 16, 16)
    assert not torch.equal(result.portrait.planes, result.original.planes)
    curve = result.report["held_out"]
    assert curve[-1]["loss"] < curve[0]["loss"]
    assert curve[0]["perceptual"] > 0
    assert result.portrait.render().image.shape == (1, 3, 128, 128)
    frozen = generator.superresolution.state_dict()
    for name, tensor in result.portrait.superresolution.state_dict().items():
        assert torch.equal(tensor, frozen[name])


def test_the_head_is_the_one_that_the_frontal_label_gives(pipeline, generator):
    head = pipeline.subject(5)
    label = generator.config.view.camera().label25()
    turned = generator.config.view.camera(0.4).label25()
    from triptych.models.latents import latent_from_seed

    z = latent_from_seed(5, 12, "gaussian")
    assert torch.equal(head.ws, generator.mapping(z, label))
    assert not torch.equal(head.ws, generator.mapping(z, turned))


class _CutError(Exception):
    """Somebody pulled the plug."""


@pytest.mark.thorough
@pytest.mark.parametrize(("stage", "count"), [("editing views", 2), ("fitting", 2)])
def test_a_cut_run_ends_the_same(pipeline, tmp_path, stage, count):
    def cut(now: str, done: int, total: int) -> None:
        if (now, done) == (stage, count):
            raise _CutError

    whole = run(pipeline)
    with pytest.raises(_CutError):
        run(pipeline, tmp_path, cut)
    finished = run(pipeline, tmp_path)
    torch.testing.assert_close(finished.portrait.planes, whole.portrait.planes)
    assert finished.report["held_out"] == whole.report["held_out"]


@pytest.mark.parametrize("source", ["vector", "no_pretraining", "none"])
def test_every_source_of_planes_works_with_a_head(pipeline, source):
    result = run(pipeline, use_i2t=source, steps=2)
    assert result.portrait.planes.isfinite().all()


def test_views_may_be_smaller_than_the_heads_pictures(pipeline):
    result = run(pipeline, image_size=64, steps=1)
    assert result.views.images.shape[-1] == 64
    assert result.portrait.render().image.shape[-1] == 128


def test_a_portrait_of_that_layout_can_be_saved_and_styled_again(pipeline, tmp_path):
    first = run(pipeline, steps=1)
    first.portrait.save(tmp_path / "cat.safetensors", exact=True)
    again = pipeline(
        "a dog",
        identity=TriPlanePortrait.load(tmp_path / "cat.safetensors"),
        settings=dataclasses.replace(SETTINGS, steps=1),
    )
    assert torch.equal(again.original.planes, first.portrait.planes)
