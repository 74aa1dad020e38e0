"""The published 3DpSp encoder at full width, and its iteration, equal the reference numbers.

Without the reference data the committed samples of them are compared.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from closeness import largest_error
from psp_rule import fill_by_rule, rule_image
from reference_numbers import Expected, ReferenceNumbers, Samples
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera
from triptych.ops.resize import fit_size
from triptych.systems.invert.encoder import PspConfig, PspEncoder, official_config
from triptych.systems.invert.restyle import mean_picture, restyle

ATOL = 2e-4
TAPS = (0, 6, 20, 23)


def fixture_file(shared, name: str) -> ReferenceNumbers:
    return ReferenceNumbers.read(shared / "fixtures" / "3dpsp_small" / f"{name}.npz")


def published_tensors(shared) -> list[tuple[str, str]]:
    """Return names and shapes of the published encoder, in order."""
    with open(shared / "reference" / "3dpsp_state_dict.tsv", newline="") as file:
        return [(row["key"], row["shape"]) for row in csv.DictReader(file, delimiter="\t")]


def encoder_by_rule(config: PspConfig) -> PspEncoder:
    encoder = PspEncoder(config).eval().requires_grad_(False)
    fill_by_rule(encoder, 1000)
    return encoder


@pytest.fixture(scope="module")
def encoder(shared) -> PspEncoder:
    return encoder_by_rule(official_config())


def names_in_order() -> list[str]:
    """Return the published encoder's names, from a narrow one with as many layers."""
    narrow = PspEncoder(replace(official_config(), widths=(4, 6, 8, 10), head_width=4, w_dim=4))
    return list(narrow.state_dict())[2:]


def codes_of(codes: Expected, heads: list[int]) -> Expected:
    """Return the style codes [1, k, 512] of some heads."""
    if isinstance(codes, Samples):
        assert codes.steps[1] == 1
        shape = (1, len(heads), codes.shape[2])
        return replace(codes, shape=shape, values=codes.values[:, heads])
    return codes[:, heads]


def within(actual: Tensor, expected: Expected, limit: float) -> bool:
    return largest_error(actual, expected) <= limit


def check(encoder: PspEncoder, expected: ReferenceNumbers, heads: Sequence[int]) -> None:
    """Compare what four units of the body and some heads give."""
    seen = rule_image(int(expected["meta/input_seed"]), 6)
    camera = Camera.from_label25(expected["in/camera"])
    maps = {}
    hooks = [
        encoder.body[tap].register_forward_hook(
            lambda _module, _inputs, out, tap=tap: maps.__setitem__(tap, out)
        )
        for tap in TAPS
    ]
    with torch.no_grad():
        made = encoder(seen[:, :3], seen[:, 3:], camera)
    for tap in TAPS:
        assert within(maps[tap][0, :4, :4, :4], expected[f"out/body{tap}_slice"], ATOL)
        stats = [float(maps[tap].mean()), float(maps[tap].std())]
        assert stats == pytest.approx(expected[f"out/body{tap}_stats"].tolist(), abs=1e-4)
    assert within(made, codes_of(expected["out/y"], list(heads)), ATOL)
    for hook in hooks:
        hook.remove()


def test_body_pyramid_and_one_head_of_each_level(shared_if_there):
    if shared_if_there is None:
        expected = ReferenceNumbers.sampled("3dpsp_encoder_rule")
    else:
        expected = fixture_file(shared_if_there, "encoder_full_cam")
    encoder = PspEncoder(PspConfig(heads=(1, 1, 1))).eval().requires_grad_(False)
    heads = (0, 3, 7)

    def published_name(name: str) -> str:
        first, _, rest = name.partition(".")
        if first != "styles":
            return name
        index, _, rest = rest.partition(".")
        return f"styles.{heads[int(index)]}.{rest}"

    fill_by_rule(encoder, 1000, order=names_in_order(), published_name=published_name)
    check(encoder, expected, heads)


def test_names_and_their_order_are_the_published_ones(shared):
    assert names_in_order() == [name for name, _ in published_tensors(shared)]


@pytest.mark.slow
def test_names_shapes_and_order_are_the_published_ones(shared, encoder):
    own = [(name, str(list(tensor.shape))) for name, tensor in encoder.state_dict().items()]
    assert own[:2] == [("latent_mean", "[14, 512]"), ("latent_std", "[14, 512]")]
    assert own[2:] == published_tensors(shared)
    assert sum(p.numel() for p in encoder.parameters()) == 230_163_968


@pytest.mark.slow
def test_encoder_with_camera(shared, encoder):
    check(encoder, fixture_file(shared, "encoder_full_cam"), range(14))


@pytest.mark.slow
def test_encoder_without_camera(shared):
    encoder = encoder_by_rule(PspConfig(camera_code=0))
    assert sum(p.numel() for p in encoder.parameters()) == 228_888_960
    check(encoder, fixture_file(shared, "encoder_full_nocam"), range(14))


@pytest.mark.slow
def test_three_restyle_steps(shared, encoder):
    """The stand-in generator paints the first 3,072 latents as a picture of 32 pixels."""
    expected = fixture_file(shared, "restyle_loop_stub")
    encoder.latent_mean.copy_(expected["in/latent_avg"][0])

    def stub(ws, camera, noise_mode="const"):
        small = torch.tanh(0.02 * ws.flatten(1)[:, :3072]).view(-1, 3, 32, 32)
        return functional.interpolate(small, (512, 512), mode="bilinear", align_corners=False)

    target = rule_image(int(expected["meta/image_seed"]), 3)
    camera = Camera.from_label25(expected["in/camera"])
    mean = mean_picture(encoder, stub, camera)[0, :, ::64, ::64]
    torch.testing.assert_close(mean, expected["out/avg_slice"])
    steps = restyle(encoder, stub, target, camera, num_steps=3)
    made = torch.stack([step.ws for step in steps])
    torch.testing.assert_close(made, expected["out/latents"], atol=ATOL, rtol=0)
    fed_back = torch.cat([fit_size(step.image, 256)[:, :, ::64, ::64] for step in steps])
    torch.testing.assert_close(fed_back, expected["out/y_small_slices"])
