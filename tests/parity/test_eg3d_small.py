"""EG3D's generator at small size: every stage equals the reference numbers."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace

import pytest
import torch
from closeness import IMAGE, assert_close
from reference_numbers import ReferenceNumbers, assert_all_compared
from rule_weights import rule
from safetensors.torch import load_file

from triptych.camera import Camera, eg3d_look_at, focal_from_fov_deg
from triptych.models.eg3d import (
    BackboneConfig,
    EG3DConfig,
    MappingConfig,
    TriPlaneGenerator,
)
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.render.rays import camera_rays
from triptych.render.renderer import Draws, RenderConfig, RenderedRays, render_rays

SMALL = EG3DConfig(
    z_dim=32,
    image_size=128,
    render_size=64,
    mapping=MappingConfig(embed_features=24, layer_features=40),
    backbone=BackboneConfig(channel_base=1024, channel_max=16),
    rendering=RenderConfig(num_coarse=12, num_fine=10),
    superresolution=SuperResolutionConfig(kind="2X"),
)
VARIANTS: dict[str, tuple[dict, float]] = {
    "auto_white": ({"ray_start": "auto", "ray_end": "auto", "background": 1.0}, 1.0),
    "boxwarp1_6_noimp": ({"num_fine": 0}, 1.6),
    "disparity": ({"disparity_sampling": True}, 1.0),
    "auto_smallbox": ({"ray_start": "auto", "ray_end": "auto"}, 0.45),
}


@pytest.fixture(scope="module")
def inputs(eg3d_small):
    return ReferenceNumbers.read(eg3d_small / "inputs.safetensors")


@pytest.fixture(scope="module")
def outputs(eg3d_small):
    return ReferenceNumbers.read(eg3d_small / "outputs.safetensors")


@pytest.fixture(scope="module")
def generator(eg3d_small):
    model = TriPlaneGenerator(SMALL).eval().requires_grad_(False)
    model.load_state_dict(load_file(eg3d_small / "generator.safetensors"), strict=True)
    return model


@pytest.fixture(scope="module")
def planes(generator, inputs):
    return generator.planes(inputs["ws_plus"])


@pytest.fixture(scope="module")
def exact_planes(generator, inputs):
    """Planes without the rounding of their own stage, which steep random planes amplify.

    Importance samples follow the densities and the planes change by their full range between two
    pixels, so a rounding error of 1e-6 in the planes is one of 5e-5 in a feature.
    """
    double = copy.deepcopy(generator).double()
    return double.planes(inputs["ws_plus"].double()).float()


@pytest.fixture(scope="module")
def camera(inputs):
    return Camera.from_label25(inputs["c_render"])


@pytest.fixture(scope="module")
def stored_draws(inputs):
    return Draws(inputs["u_coarse"][..., 0], inputs["u_fine"].reshape(2, 24 * 24, 10))


def test_parameter_names_and_shapes_are_the_official_ones(generator, eg3d_small):
    expected = json.loads((eg3d_small / "state_dict_shapes.json").read_text())
    actual = {key: list(tensor.shape) for key, tensor in generator.state_dict().items()}
    assert actual == expected


def test_mapping(generator, inputs, outputs):
    z = inputs["z"]
    assert_close(generator.mapping(z, inputs["c_cond"]), outputs["ws"])
    other = generator.mapping(z, inputs["c_render"])
    assert_close(other[:, 0], outputs["ws_camera_conditioned_layer0"])
    cut = generator.mapping(z, inputs["c_cond"], truncation_psi=0.7, truncation_cutoff=9)
    assert_close(cut[:, [0, 8, 9, 13]], outputs["ws_psi0.7_cutoff9_layers_0_8_9_13"])
    uncut = generator.mapping(z, inputs["c_cond"], truncation_psi=0.5)
    assert_close(uncut[:, [0, 13]], outputs["ws_psi0.5_nocutoff_layers_0_13"])


def test_frontal_camera_is_the_default_condition(generator, inputs, outputs):
    # The reference label was made from the diagonal field of view, ours from the label's focal.
    error = (generator.mapping(inputs["z"]) - outputs["ws"]).abs().max()
    assert 0 < error < 1e-2 * outputs["ws"].abs().max()


def check_planes(planes, outputs, noise, samples):
    flat = planes.flatten(1, 2)
    name = f"planes_{noise}"
    assert_close(flat[:samples, :, 5::16, 5::16], outputs[f"{name}_stride16_off5"])
    assert_close(flat.mean(dim=(2, 3)), outputs[f"{name}_mean"])
    assert_close(flat.std(dim=(2, 3), correction=0), outputs[f"{name}_std"])


def test_planes_with_stored_noise(planes, outputs):
    check_planes(planes, outputs, "const", samples=2)
    crop = planes.flatten(1, 2)[0, [0, 47, 95], 96:144, 96:144]
    assert_close(crop, outputs["planes_const_crop_n0_ch0_47_95"])


def test_planes_without_noise(generator, inputs, outputs):
    check_planes(generator.planes(inputs["ws_plus"], noise_mode="none"), outputs, "none", 1)


@pytest.mark.parametrize("modulation", ["weights", "activations"])
@pytest.mark.parametrize("up_convolution", ["two_step", "composed"])
def test_planes_by_every_way_of_computing(generator, inputs, outputs, modulation, up_convolution):
    backbone = replace(SMALL.backbone, modulation=modulation, up_convolution=up_convolution)
    model = TriPlaneGenerator(replace(SMALL, backbone=backbone)).eval().requires_grad_(False)
    model.load_state_dict(generator.state_dict())
    check_planes(model.planes(inputs["ws_plus"]), outputs, "const", samples=2)


def test_rays(camera, outputs):
    rays = camera_rays(camera, 24)
    assert_close(rays.origins[:, :1], outputs["ray_origins"])
    assert_close(rays.directions, outputs["ray_directions"])


def check_rays(rendered: RenderedRays, outputs, name):
    assert_close(rendered.features, outputs[f"{name}_features"])
    assert_close(rendered.depth, outputs[f"{name}_depth"])
    assert_close(rendered.alpha, outputs[f"{name}_weight_sum"])


@pytest.mark.parametrize("mode", ["rand", "det"])
def test_rendered_rays(generator, exact_planes, camera, stored_draws, outputs, mode):
    draws = stored_draws if mode == "rand" else None
    rays = camera_rays(camera, 24)
    rendered = render_rays(generator.field(exact_planes), rays, SMALL.rendering, draws=draws)
    check_rays(rendered, outputs, f"render_{mode}")


@pytest.mark.parametrize("name", list(VARIANTS))
def test_rendering_variants(generator, exact_planes, camera, outputs, name):
    changes, box_size = VARIANTS[name]
    field = replace(generator.field(exact_planes[:1]), box_size=box_size)
    rays = camera_rays(camera[0], 16)
    rendered = render_rays(field, rays, replace(SMALL.rendering, **changes))
    check_rays(rendered, outputs, f"variant_{name}")


def test_corrected_limits_of_missed_rays_differ(generator, planes, camera, outputs):
    """The small box has rays that miss it, so the rule for those rays shows."""
    config = replace(SMALL.rendering, ray_start="auto", ray_end="auto", missed_rays="corrected")
    field = replace(generator.field(planes[:1]), box_size=0.45)
    rendered = render_rays(field, camera_rays(camera[0], 16), config)
    difference = (rendered.features - outputs["variant_auto_smallbox_features"]).abs().max()
    assert difference > 1e-2


def test_synthesis_with_stored_draws(generator, inputs, camera, stored_draws, outputs):
    result = generator.synthesis(inputs["ws_plus"], camera, render_size=24, draws=stored_draws)
    assert_close(result.image[:1], outputs["synth_rand_image_sub"], IMAGE)
    assert_close(result.image.mean(dim=(2, 3)), outputs["synth_rand_image_mean"], IMAGE)
    spread = result.image.std(dim=(2, 3), correction=0)
    assert_close(spread, outputs["synth_rand_image_std"], IMAGE)
    assert_close(result.image_raw, outputs["synth_rand_image_raw"], IMAGE)
    assert_close(result.depth, outputs["synth_rand_image_depth"])


def test_synthesis_at_the_native_size(generator, inputs, camera, outputs):
    result = generator.synthesis(inputs["ws_plus"][:1], camera[0])
    assert_close(result.image, outputs["synth_det_native_image_sub"], IMAGE)
    assert_close(result.image_raw, outputs["synth_det_native_image_raw_pure"], IMAGE)
    assert_close(result.depth, outputs["synth_det_native_image_depth"])


def test_raw_image_of_the_reference_is_ours_plus_the_first_readout(
    generator, inputs, camera, outputs
):
    result = generator.synthesis(inputs["ws_plus"][:1], camera[0])
    readouts = []
    head = generator.superresolution
    hook = head.block0.torgb.register_forward_hook(lambda *call: readouts.append(call[2]))
    head(result.features, inputs["ws_plus"][:1])
    hook.remove()
    corrupted = result.image_raw + readouts[0]
    assert_close(corrupted, outputs["synth_det_native_image_raw_as_returned"], IMAGE)


@pytest.mark.parametrize("noise_mode", ["none", "const"])
def test_superresolution_alone(generator, inputs, outputs, noise_mode):
    features = rule("sr_features", (1, 32, 64, 64), "1234", -1, 1)
    image = generator.superresolution(features, inputs["ws_plus"][:1], noise_mode=noise_mode)
    assert_close(image[:, :, 3::8, 3::8], outputs[f"sr_{noise_mode}_sub8"], IMAGE)
    assert_close(image.mean(dim=(2, 3)), outputs[f"sr_{noise_mode}_mean"], IMAGE)


def test_point_queries(generator, inputs, planes, outputs):
    sample = generator.field(planes).query(inputs["coordinates"])
    assert_close(sample.geometry, outputs["sample_mixed_sigma"])
    assert_close(sample.features, outputs["sample_mixed_rgb"])
    ws = generator.mapping(inputs["z"], inputs["c_cond"], truncation_psi=0.7, truncation_cutoff=9)
    field = generator.field(generator.planes(ws))
    assert_close(field.query(inputs["coordinates"]).geometry, outputs["sample_z_sigma"])
    assert_close(field.geometry(inputs["coordinates"]), outputs["sample_z_sigma"])


def test_corrected_axes_are_another_function(generator, inputs, planes, outputs):
    field = replace(generator.field(planes), plane_axes="corrected")
    density = field.query(inputs["coordinates"]).geometry
    assert (density - outputs["sample_mixed_sigma"]).abs().max() > 1


def test_gradient(generator, inputs, camera, outputs):
    ws = inputs["ws_plus"][:1].clone().requires_grad_()
    result = generator.synthesis(ws, camera[0], render_size=16)
    loss = result.image.square().mean() + result.image_raw.square().mean() + result.depth.mean()
    (gradient,) = torch.autograd.grad(loss, ws)
    assert_close(loss.detach()[None], outputs["grad_loss"])
    assert_close(gradient, outputs["grad_ws"])


def test_camera_labels(inputs, outputs):
    cameras = [
        eg3d_look_at(
            math.pi / 2 + yaw,
            math.pi / 2 + vertical,
            radius=radius,
            target=(x, y, z),
            focal=focal_from_fov_deg(fov),
        )
        for yaw, vertical, x, y, z, radius, fov in inputs["camera_spec"].tolist()
    ]
    assert_close(Camera.stack(cameras).label25(), outputs["camera_labels"])


def test_every_stored_number_was_used(inputs, outputs, request):
    assert_all_compared(inputs, request)
    assert_all_compared(outputs, request)
