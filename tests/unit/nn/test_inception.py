"""Inception v3: size, names, and what its pooled branches see at the border."""

from __future__ import annotations

import pytest
import torch
from narrow_inception import narrow_network
from torch import nn
from torch.nn import functional

from triptych.errors import UserError
from triptych.nn.inception import InceptionFeatures
from triptych.nn.inception_blocks import InceptionA, InceptionC, InceptionE, pooled_windows

PIXEL = torch.zeros(1, 1, 3, 3)
PIXEL[..., 0, 0] = 36.0
"""A light in the corner."""

NINTHS = [[4.0, 4.0, 0.0], [4.0, 4.0, 0.0], [0.0, 0.0, 0.0]]
"""Each window that holds the light shows a ninth of it."""

INSIDE = [[9.0, 6.0, 0.0], [6.0, 4.0, 0.0], [0.0, 0.0, 0.0]]
"""Corners see four places, edges six, the middle nine."""

LARGEST = [[36.0, 36.0, 0.0], [36.0, 36.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("average", NINTHS), ("average-inside", INSIDE), ("maximum", LARGEST)],
)
def test_what_a_window_makes_of_a_light_in_the_corner(pooling, expected):
    torch.testing.assert_close(pooled_windows(PIXEL, pooling)[0, 0], torch.tensor(expected))


@pytest.mark.parametrize("pooling", ["average", "average-inside", "maximum"])
@pytest.mark.parametrize(
    "build",
    [
        lambda pooling: InceptionA(1, 32, pooling=pooling, divisor=16),
        lambda pooling: InceptionC(1, 64, pooling=pooling, divisor=64),
        lambda pooling: InceptionE(1, pooling=pooling, divisor=64),
    ],
)
def test_blocks_end_with_the_branch_that_is_pooled_as_told(build, pooling):
    block = build(pooling).eval()
    with torch.no_grad():
        block.branch_pool.conv.weight.fill_(1.0)
        shown = block(PIXEL)
    assert shown.shape == (1, block.channels, 3, 3)
    # A new batch norm only divides by the root of 1 + 0.001.
    expected = pooled_windows(PIXEL, pooling)[0, 0] / 1.001**0.5
    torch.testing.assert_close(shown[0, -1], expected)


def poolings(network: InceptionFeatures) -> dict[str, str]:
    blocks = network.named_children()
    return {name: block.pooling for name, block in blocks if hasattr(block, "pooling")}


def test_variants_differ_in_their_pooled_branches_only():
    fid, plain = (narrow_network(variant) for variant in ("fid", "torchvision"))
    names = [f"Mixed_{name}" for name in ("5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b", "7c")]
    assert poolings(fid) == {**dict.fromkeys(names, "average-inside"), "Mixed_7c": "maximum"}
    assert poolings(plain) == dict.fromkeys(names, "average")
    image = torch.rand(1, 3, 80, 80, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        first, second = fid(image), plain(image)
    assert not torch.allclose(first, second, rtol=1e-2, atol=1e-2)


def test_size_and_names_are_those_of_the_public_file():
    with torch.device("meta"):
        network, classifier = InceptionFeatures(), nn.Linear(2048, 1000)
    numbers = [sum(p.numel() for p in part.parameters()) for part in (network, classifier)]
    assert sum(numbers) == 23_834_568
    state = network.state_dict()
    assert network.num_features == 2048
    assert len(state) == 94 * 6  # of 94 convolutions
    assert next(iter(state)) == "Conv2d_1a_3x3.conv.weight"
    assert state["Mixed_6e.branch7x7dbl_4.conv.weight"].shape == (192, 192, 7, 1)
    assert state["Mixed_7c.branch3x3dbl_3b.bn.running_var"].shape == (384,)
    assert {m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-3}


def test_pictures_of_every_size_become_features():
    network = narrow_network()
    with torch.no_grad():
        small, large = (network(torch.full((2, 3, side, side), 0.3)) for side in (32, 320))
        wide = network(torch.full((2, 3, 32, 64), 0.3))
    assert small.shape == (2, 128)
    assert float(small.min()) >= 0
    assert float(small.max()) > 0.1
    torch.testing.assert_close(small, large)  # a plain picture stays plain
    torch.testing.assert_close(small, wide)


def test_large_pictures_are_shrunk_without_a_filter():
    network = narrow_network()
    fine = torch.rand(1, 3, 500, 500, generator=torch.Generator().manual_seed(0)) * 2 - 1
    shrunk, filtered = (
        functional.interpolate(fine, (299, 299), mode="bilinear", antialias=antialias)
        for antialias in (False, True)
    )
    with torch.no_grad():
        features = network(fine)
        torch.testing.assert_close(features, network(shrunk))
        assert not torch.allclose(features, network(filtered), atol=1e-2)


@pytest.mark.parametrize("divisor", [0, 3, 32])
def test_divisors_that_do_not_divide_are_refused(divisor):
    with pytest.raises(UserError, match=f"got {divisor}; expected one of"):
        InceptionFeatures(divisor=divisor)
