from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from triptych.camera import orbit
from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.models.eg3d import (
    OFFICIAL_CONFIGS,
    EG3DConfig,
    TriPlaneGenerator,
    avatar_config,
)
from triptych.nn.superresolution import SuperResolutionConfig

AVATAR = avatar_config(12)


def tiny(config: EG3DConfig) -> EG3DConfig:
    """The same choices at a size for tests."""
    backbone = replace(config.backbone, plane_size=16, channel_base=128, channel_max=16)
    rendering = replace(config.rendering, num_coarse=6, num_fine=4)
    head = config.superresolution
    if head is not None:
        head = replace(head, widths=(6, 4))
    return replace(
        config,
        backbone=backbone,
        rendering=rendering,
        superresolution=head,
        z_dim=12,
        w_dim=16,
    )


def latents(batch: int, config: EG3DConfig = AVATAR) -> torch.Tensor:
    return torch.randn(batch, config.z_dim, generator=torch.Generator().manual_seed(20))


@pytest.fixture(scope="module")
def small():
    return TriPlaneGenerator(tiny(AVATAR)).eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["avatar", *OFFICIAL_CONFIGS])
def test_configs_survive_json(name):
    config = AVATAR if name == "avatar" else OFFICIAL_CONFIGS[name]()
    assert from_dict(EG3DConfig, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize("name", ["avatar", "ffhq512-128", "shapenetcars128-64"])
def test_every_preset_renders_at_toy_size(name):
    config = tiny(AVATAR if name == "avatar" else OFFICIAL_CONFIGS[name]())
    model = TriPlaneGenerator(config).eval().requires_grad_(False)
    camera = config.view.camera(torch.tensor([0.0, 0.3]))
    ws = model.mapping(latents(2, config))
    result = model.synthesis(ws, camera, render_size=8)
    final = 8 if config.superresolution is None else config.image_size
    assert result.image.shape == (2, 3, final, final)
    assert result.features.shape == (2, config.decoder.num_features, 8, 8)
    assert torch.isfinite(result.image).all()


def test_official_parameter_names_and_shapes(shared):
    rows = (shared / "reference" / "eg3d_state_dict.tsv").read_text().splitlines()[1:]
    expected = {}
    for row in rows:
        key, shape, dtype, kind = row.split("\t")
        expected[key] = (json.loads(shape), dtype, kind)
    del expected["dataset_label_std"]  # added by the reference's training loop only
    model = TriPlaneGenerator(OFFICIAL_CONFIGS["ffhq512-128"]())
    parameters = dict(model.named_parameters())
    actual = {
        key: (
            list(tensor.shape),
            str(tensor.dtype).removeprefix("torch."),
            "param" if key in parameters else "buffer",
        )
        for key, tensor in model.state_dict().items()
    }
    assert actual == expected


def test_avatar_size():
    model = TriPlaneGenerator(AVATAR)
    assert model.num_ws == 12
    count = sum(parameter.numel() for parameter in model.parameters())
    assert 4_000_000 < count < 6_000_000
    assert not [key for key in model.state_dict() if "noise" in key]
    assert [key for key in model.state_dict() if "torgb.weight" in key] == [
        "backbone.synthesis.b128.torgb.weight"
    ]


def test_initial_weights_depend_only_on_the_generator():
    state = torch.random.get_rng_state()
    first, again = TriPlaneGenerator(tiny(AVATAR)), TriPlaneGenerator(tiny(AVATAR))
    other = TriPlaneGenerator(tiny(AVATAR), rng=torch.Generator().manual_seed(5))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.decoder.net[0].weight, again.decoder.net[0].weight)
    assert not torch.equal(first.decoder.net[0].weight, other.decoder.net[0].weight)


def test_a_batch_gives_what_its_members_give(small):
    camera = orbit(2, (-0.3, 0.3))
    ws = small.mapping(latents(2))
    together = small.synthesis(ws, camera, render_size=8)
    second = small.synthesis(ws[1:], camera[1], render_size=8)
    torch.testing.assert_close(together.image[1:], second.image, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together.depth[1:], second.depth, atol=1e-5, rtol=1e-5)


def test_one_portrait_from_several_cameras(small):
    camera = orbit(3, (-0.3, 0.3))
    ws = small.mapping(latents(1))
    planes = small.planes(ws)
    together = small.render(planes, ws, camera, render_size=8)
    repeated = small.render(planes.repeat(3, 1, 1, 1, 1), ws.repeat(3, 1, 1), camera, render_size=8)
    torch.testing.assert_close(together.image, repeated.image)
    assert together.image.shape == (3, 3, 8, 8)


def test_forward_passes_leave_no_trace(small):
    """Another size, other planes or a random call in between change nothing."""
    ws, camera = small.mapping(latents(2)), orbit(2, (-0.3, 0.3))
    before = {key: tensor.clone() for key, tensor in small.state_dict().items()}
    first = small.synthesis(ws, camera, render_size=8)
    small.synthesis(ws.flip(0), camera, render_size=5, generator=torch.Generator().manual_seed(1))
    again = small.synthesis(ws, camera, render_size=8)
    assert torch.equal(first.image, again.image)
    assert all(torch.equal(before[key], tensor) for key, tensor in small.state_dict().items())


def test_default_size_is_the_configured_one():
    model = TriPlaneGenerator(replace(tiny(AVATAR), image_size=10, render_size=10)).eval()
    with torch.inference_mode():
        result = model(latents(1), AVATAR.view.camera())
    assert result.image.shape == (1, 3, 10, 10)
    assert result.image is result.image_raw


def test_label_is_zeroed_or_scaled_by_config():
    config = tiny(OFFICIAL_CONFIGS["ffhq512-128"]())
    z = latents(1, config)
    one, other = orbit(2, (-0.5, 0.5)).label25().split(1)

    def spread(**changes):
        mapping = replace(config.mapping, **changes)
        model = TriPlaneGenerator(replace(config, mapping=mapping)).requires_grad_(False)
        return (model.mapping(z, one) - model.mapping(z, other)).abs().max().item()

    assert spread() > 1e-3
    assert spread(zero_label=True) == 0
    assert spread(label_scale=0.0) == 0


def test_backbone_in_bfloat16_is_close():
    model = TriPlaneGenerator(tiny(AVATAR)).train().to(memory_format=torch.channels_last)
    ws = model.mapping(latents(2))
    exact = model.planes(ws)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.planes(model.mapping(latents(2)))
        result = model.render(rounded, ws, orbit(2), render_size=6)
    assert rounded.dtype == torch.float32
    assert rounded.is_contiguous()
    assert result.image.dtype == torch.float32
    assert (rounded - exact).abs().max() < 0.1 * exact.abs().max()
    rounded.square().mean().backward()
    assert torch.isfinite(model.backbone.synthesis.b8.conv0.weight.grad).all()


def test_wrong_pairings_and_shapes_are_refused(small):
    ws = small.mapping(latents(2))
    with pytest.raises(UserError, match="expected one portrait"):
        small.render(small.planes(ws), ws, orbit(3), render_size=4)
    with pytest.raises(UserError, match="style codes"):
        small.planes(ws[:, :3])


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="image_size"):
        replace(AVATAR, image_size=64)
    with pytest.raises(UserError, match="256"):
        EG3DConfig(superresolution=SuperResolutionConfig(kind="4X"))
    with pytest.raises(UserError, match="label_dim"):
        EG3DConfig(label_dim=3)


def test_avatars_see_all_three_coordinate_planes():
    assert AVATAR.plane_axes == "corrected"
