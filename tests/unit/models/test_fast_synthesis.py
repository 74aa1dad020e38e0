from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_portraits import tiny_config, tiny_generator, tiny_superresolved_config

from triptych.errors import UserError
from triptych.models.fast_synthesis import synthesize_planes
from triptych.ops import precision


def codes(generator, count: int = 1) -> torch.Tensor:
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(2))
    return generator.mapping(z)


@pytest.fixture(params=[True, False])
def bfloat16_is_fast(request, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: request.param)
    return request.param


def error(generator, path) -> float:
    ws = codes(generator)
    exact = generator.planes(ws)
    painted = synthesize_planes(generator, ws, path)
    assert painted.shape == exact.shape
    assert painted.dtype == torch.float32
    return float((painted - exact).abs().max() / exact.abs().max())


def test_the_exact_path_is_the_generators_own(bfloat16_is_fast):
    assert error(tiny_generator(tiny_superresolved_config()), "exact") == 0


def test_only_what_a_head_enlarges_is_painted_in_bfloat16(bfloat16_is_fast):
    upsampled = tiny_generator(tiny_superresolved_config())
    assert error(tiny_generator(), "fast") < 1e-5
    assert error(upsampled, "fast-float32") < 1e-5
    assert (1e-4 < error(upsampled, "fast") < 0.05) == bfloat16_is_fast


def test_rare_filters_and_batches_are_painted_exactly():
    config = tiny_config()
    backbone = dataclasses.replace(
        config.backbone, resample_filter=(1.0, 5.0, 10.0, 10.0, 5.0, 1.0)
    )
    assert error(tiny_generator(dataclasses.replace(config, backbone=backbone)), "fast") == 0
    generator = tiny_generator()
    two = codes(generator, 2)
    assert torch.equal(synthesize_planes(generator, two), generator.planes(two))


def test_codes_of_another_shape_are_refused():
    generator = tiny_generator()
    with pytest.raises(UserError, match="wrong shape"):
        synthesize_planes(generator, codes(generator)[:, :-1])
