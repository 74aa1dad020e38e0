from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.nn.superresolution import SuperResolution, SuperResolutionConfig


def head(kind, **changes) -> SuperResolution:
    config = SuperResolutionConfig(kind=kind, widths=(6, 4), **changes)
    return SuperResolution(5, 8, config, rng=torch.Generator().manual_seed(16)).eval()


def features(size: int) -> torch.Tensor:
    return torch.randn(1, 5, size, size, generator=torch.Generator().manual_seed(17))


WS = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(18))


@pytest.mark.parametrize(
    ("kind", "native", "final"),
    [("8XDC", 128, 512), ("8X", 128, 512), ("4X", 128, 256), ("2X", 64, 128)],
)
def test_sizes(kind, native, final):
    model = head(kind)
    assert model.config.image_size == final
    for size in (native, native - 21):
        assert model(features(size), WS).shape == (1, 3, final, final)


def test_larger_inputs_are_shrunk_except_by_4x():
    assert head("2X")(features(80), WS).shape == (1, 3, 128, 128)
    with pytest.raises(UserError, match="128"):
        head("4X")(features(130), WS)


@pytest.mark.parametrize("kind", ["4X", "2X"])
def test_the_raw_image_is_never_modified(kind):
    given = features(64 if kind == "2X" else 128)
    kept = given.clone()
    head(kind)(given, WS)
    assert torch.equal(given, kept)


def test_gradients_flow_through_heads_without_up_sampling():
    given = features(64).requires_grad_()
    head("2X")(given, WS).square().mean().backward()
    assert given.grad.abs().max() > 0


def test_only_the_last_style_code_counts():
    model, given, other = head("2X"), features(64), WS.clone()
    other[:, :2] += 1
    assert torch.equal(model(given, other), model(given, WS))
    other[:, 2] += 1
    assert not torch.equal(model(given, other), model(given, WS))


def test_clamp_is_part_of_the_function():
    loud = 1e4 * features(64)
    free, clamped = head("2X", conv_clamp=None), head("2X", conv_clamp=256.0)
    loud_image = loud[:, :3].abs().max()
    assert (free(loud, WS) - clamped(loud, WS)).abs().max() > 1
    assert clamped(loud, WS).abs().max() <= loud_image + 2 * 256
    quiet = features(64)
    torch.testing.assert_close(free(quiet, WS), clamped(quiet, WS))


def test_antialias_matters_only_when_shrinking():
    soft, sharp = head("2X", antialias=True), head("2X", antialias=False)
    torch.testing.assert_close(soft(features(40), WS), sharp(features(40), WS))
    assert (soft(features(100), WS) - sharp(features(100), WS)).abs().max() > 1e-2
