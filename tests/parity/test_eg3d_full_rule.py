"""EG3D's networks at full size, with weights made from their names.

Without the reference data the committed samples of them are compared.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from closeness import IMAGE, assert_close
from reference_numbers import ReferenceNumbers, assert_all_compared, read_golden
from rule_weights import ROOT3, fill_by_rule, rule, uniform01

from triptych.camera import Camera
from triptych.models.eg3d import TriPlaneGenerator, ffhq512_128_config
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.nn.superresolution import SuperResolution, SuperResolutionConfig
from triptych.ops.blur import halving_blur
from triptych.ops.resize import resize
from triptych.ops.upfirdn2d import downsample2d, fir_kernel, upsample2d

TAG = "public-1"
pytestmark = pytest.mark.slow  # half a minute; every part is compared at small size by default


@pytest.fixture(scope="module")
def outputs(shared_if_there):
    if shared_if_there is None:
        return ReferenceNumbers.sampled("eg3d_rule")
    folder = shared_if_there / "fixtures" / "eg3d_small" / "rule"
    return ReferenceNumbers.read(folder / "rule_outputs.safetensors")


def check_spread(image, outputs, name, limit):
    assert_close(image.mean(dim=(2, 3)), outputs[f"{name}_mean"], limit)
    assert_close(image.std(dim=(2, 3), correction=0), outputs[f"{name}_std"], limit)


def test_rule():
    stored = read_golden("eg3d_rule")["rule"]
    assert stored["tag"] == TAG
    for key, expected in stored["uniform01_first4"].items():
        np.testing.assert_array_equal(uniform01(key, TAG, 4), expected)


@pytest.mark.parametrize(("kind", "size"), [("8XDC", 128), ("8X", 128), ("4X", 128), ("2X", 64)])
def test_superresolution(outputs, kind, size):
    name = f"SuperresolutionHybrid{kind}"
    head = SuperResolution(
        32, 512, SuperResolutionConfig(kind=kind), rng=torch.Generator()
    ).requires_grad_(False)
    fill_by_rule(head.eval(), f"{TAG}/{name}")
    ws = rule("ws", (1, 14, 512), TAG, -ROOT3, ROOT3)
    image = head(rule(f"x_{name}", (1, 32, size, size), TAG, -1, 1), ws)
    assert_close(image[:, :, 3::16, 5::16], outputs[f"{name}_sub"], IMAGE)
    check_spread(image, outputs, name, IMAGE)
    resized = head(rule(f"x2_{name}", (1, 32, 48, 48), TAG, -1, 1), ws)
    assert_close(resized[:, :, 3::16, 5::16], outputs[f"{name}_from48_sub"], IMAGE)


@pytest.mark.parametrize("mode", ["antialiased", "classic", "none"])
def test_resize(outputs, mode):
    x = rule("resize_in", (1, 3, 64, 64), TAG, -1, 1)
    assert_close(resize(x, 24, filter_mode=mode), outputs[f"resize_{mode}_64to24"])


def test_fir_resampling_and_blur(outputs):
    x = rule("resize_in", (1, 3, 64, 64), TAG, -1, 1)
    kernel = fir_kernel((1, 3, 3, 1))
    assert_close(upsample2d(x[:, :, :16, :16], kernel), outputs["upsample2d_16"])
    assert_close(downsample2d(x[:, :, :16, :16], kernel), outputs["downsample2d_16"])
    assert_close(halving_blur(x, 2.5), outputs["blur_sigma2.5"])


def test_discriminator(outputs):
    config = DiscriminatorConfig(image_size=128, channel_base=2048, channel_max=24)
    model = DualDiscriminator(config).requires_grad_(False)
    shapes = read_golden("eg3d_rule")["discriminator_shapes"]
    assert {key: list(t.shape) for key, t in model.state_dict().items()} == shapes
    fill_by_rule(model, f"{TAG}/D")
    image = rule("d_image", (4, 3, 128, 128), TAG, -1, 1)
    raw = rule("d_raw", (4, 3, 64, 64), TAG, -1, 1)
    assert_close(model(image, raw, outputs["D_c"]), outputs["D_logits"])
    # In float32 a few sums lie within rounding of a rectifier's kink, so that which side they fall
    # on, and the gradient with it, depends on the processor. In float64 the sides are certain.
    model, image, raw = model.double(), image.double(), raw.double()
    inputs = [image.requires_grad_(), raw.requires_grad_()]
    logits = model(*inputs, outputs["D_c"].double())
    of_image, of_raw = torch.autograd.grad(logits.sum(), inputs)
    penalty = of_image.square().sum(dim=(1, 2, 3)) + of_raw.square().sum(dim=(1, 2, 3))
    assert_close(penalty, outputs["D_r1_penalty_per_sample"])
    assert_close(of_image[:, :, ::16, ::16], outputs["D_grad_image_sub"])
    assert_close(of_raw[:, :, ::8, ::8], outputs["D_grad_raw_sub"])


def test_ffhq512_128(outputs):
    model = TriPlaneGenerator(ffhq512_128_config()).eval().requires_grad_(False)
    fill_by_rule(model, f"{TAG}/ffhq512")
    model.decoder.net[2].bias[0] += 4
    z = rule("z", (1, 512), TAG, -ROOT3, ROOT3)
    ws = model.mapping(z, outputs["ffhq512_c_cond"], truncation_psi=0.8, truncation_cutoff=7)
    assert_close(ws[:, [0, 13]], outputs["ffhq512_ws_layer0_13"])
    planes = model.planes(ws)
    flat = planes.flatten(1, 2)
    assert_close(flat[:, :, 7::32, 9::32], outputs["ffhq512_planes_sub"])
    check_spread(flat, outputs, "ffhq512_planes", 5e-5)
    result = model.render(planes, ws, Camera.from_label25(outputs["ffhq512_c"]))
    assert_close(result.features[:, :, 4::16, 4::16], outputs["ffhq512_features_sub"])
    assert_close(result.depth[:, :, ::4, ::4], outputs["ffhq512_depth_sub"])
    assert_close(result.alpha[:, :, ::4, ::4], outputs["ffhq512_weight_sub"])
    assert_close(result.image[:, :, 3::8, 5::8], outputs["ffhq512_image_sub"], IMAGE)
    assert_close(result.image[:, :, 240:272, 240:272], outputs["ffhq512_image_crop"], IMAGE)
    check_spread(result.image, outputs, "ffhq512_image", IMAGE)


def test_every_stored_number_was_used(outputs, request):
    assert_all_compared(outputs, request)
