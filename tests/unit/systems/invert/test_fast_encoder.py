from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.camera import orbit
from triptych.ops import precision
from triptych.systems.invert.encoder import PspConfig, PspEncoder
from triptych.systems.invert.fast_encoder import fast_encoder


@pytest.fixture(scope="module")
def encoder() -> PspEncoder:
    """A toy encoder that has seen data: its batch norms and slopes are not the initial ones."""
    config = PspConfig(
        image_size=32, widths=(4, 6, 8, 8), units=(1, 1, 1, 1), head_width=8, heads=(1, 1, 2),
        w_dim=5, camera_code=3,
    )  # fmt: skip
    rng = torch.Generator().manual_seed(3)
    pred = PspEncoder(config, rng=rng).eval().requires_grad_(False)
    for module in pred.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=rng)
            module.running_var.uniform_(0.5, 2, generator=rng)
            module.weight.uniform_(0.5, 1.5, generator=rng)
            module.bias.normal_(generator=rng)
        if isinstance(module, nn.PReLU):
            module.weight.uniform_(0, 0.5, generator=rng)
    for head in pred.styles:
        head.linear.weight.normal_(generator=rng)
    pred.set_latent_statistics(torch.ones(4, 5), 0.1 * torch.ones(4, 5))
    return pred


def largest_error(encoder: PspEncoder, path: str) -> float:
    rng = torch.Generator().manual_seed(4)
    pictures = [torch.rand(2, 3, 32, 32, generator=rng) * 2 - 1 for _ in range(2)]
    expected = encoder(*pictures, orbit(2))
    seen = fast_encoder(encoder, path)(*pictures, orbit(2))
    assert seen.dtype == torch.float32
    assert expected.std() > 1e-3
    return float((seen - expected).abs().max() / expected.abs().max())


def test_the_exact_path_is_the_encoder_itself(encoder):
    assert fast_encoder(encoder, "exact") is encoder


def test_folded_batch_norms_change_nothing(encoder):
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    assert largest_error(encoder, "fast-float32") < 1e-5
    fast = fast_encoder(encoder, "fast-float32")
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in e.modules()) for e in (encoder, fast)]
    assert norms[1] == len(encoder.body) < norms[0]  # those before convolutions stay
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


@pytest.mark.parametrize("available", [True, False])
def test_bfloat16_is_used_where_it_is_fast(encoder, available, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: available)
    error = largest_error(encoder, "fast")
    assert (1e-4 < error < 0.05) if available else error < 1e-5
