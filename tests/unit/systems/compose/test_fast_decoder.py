"""The decoder with one style multiplied in equals the exact one."""

from __future__ import annotations

import torch
from toy_compose import TINY, tiny_region_generator

from triptych.systems.compose.fast_decoder import StyledDecoder, has_fast_form
from triptych.systems.compose.stylegan_layers import NoiseStrength


def _decoder():
    decoder, rng = tiny_region_generator(TINY).decoder, torch.Generator().manual_seed(3)
    for module in decoder.modules():
        if isinstance(module, NoiseStrength):
            module.weight.data = torch.randn(1, generator=rng)
    for name, parameter in decoder.named_parameters():
        if name.endswith("bias"):
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=rng)
    return decoder, rng


@torch.no_grad()
def test_images_and_masks_are_the_exact_ones_for_all_views():
    decoder, rng = _decoder()
    size = TINY.render_size
    features = torch.randn(2, TINY.decoder.feature_width, size, size, generator=rng)
    masks = torch.rand(2, TINY.num_regions, size, size, generator=rng)
    code = torch.randn(1, TINY.decoder.style_dim, generator=rng)
    exact = decoder(features, masks, code.expand(2, -1))
    fast = StyledDecoder.of(decoder, code)(features, masks)
    for found, expected in zip(fast, exact, strict=True):
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


def test_decoders_in_other_dtypes_have_no_fast_form():
    decoder, _ = _decoder()
    assert has_fast_form(decoder)
    decoder.synthesis_to(torch.bfloat16)
    assert not has_fast_form(decoder)
