"""Colours of a style in a decoder: densities stay, and a plain decoder can do the same."""

from __future__ import annotations

import pytest
import torch

from triptych.fields.recoloured_decoder import ColourChange, RecolouredDecoder, recoloured_state
from triptych.fields.triplane import TriPlaneDecoder


@pytest.fixture
def decoder():
    rng = torch.Generator().manual_seed(0)
    return TriPlaneDecoder(5, 3, num_hidden=7, lr_multiplier=0.5, rng=rng).requires_grad_(False)


def change_of(decoder, batch=(), seed=1):
    rng = torch.Generator().manual_seed(seed)
    shapes = ColourChange.shapes(decoder)
    return ColourChange(
        **{name: torch.randn(*batch, *shape, generator=rng) for name, shape in shapes.items()}
    )


def test_no_change_changes_nothing_and_densities_never_change(decoder):
    x, change = torch.randn(4, 5, generator=torch.Generator().manual_seed(2)), change_of(decoder)
    own = decoder(x)
    untouched = RecolouredDecoder(decoder, change.scaled(0))(x)
    assert torch.allclose(untouched.features, own.features, atol=1e-6)
    styled = RecolouredDecoder(decoder, change)(x)
    assert torch.equal(styled.geometry, decoder.density(x))
    assert not torch.allclose(styled.features, own.features, atol=1e-2)


def test_a_bias_moves_one_colour_by_hand(decoder):
    """Nothing but a bias of 100 on red: red saturates, the others stay."""
    nothing = change_of(decoder).scaled(0)
    change = ColourChange(
        nothing.hidden_weight, nothing.hidden_bias, nothing.weight, torch.tensor([100.0, 0, 0])
    )
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(2))
    styled, own = RecolouredDecoder(decoder, change)(x).features, decoder(x).features
    assert torch.allclose(styled[:, 0], torch.tensor(1.001))
    assert torch.allclose(styled[:, 1:], own[:, 1:], atol=1e-6)


def test_fields_of_a_batch_have_a_style_each(decoder):
    x = torch.randn(2 * 3, 5, generator=torch.Generator().manual_seed(2))
    both = change_of(decoder, (2,))
    together = RecolouredDecoder(decoder, both)(x).features
    for index in range(2):
        one = ColourChange(**{name: part[index] for name, part in both.parts().items()})
        own = RecolouredDecoder(decoder, one)(x[3 * index : 3 * index + 3]).features
        assert torch.allclose(together[3 * index : 3 * index + 3], own, atol=1e-6)


def test_a_plain_decoder_of_twice_the_width_does_the_same(decoder):
    change = change_of(decoder)
    rng = torch.Generator().manual_seed(0)
    wide = TriPlaneDecoder(5, 3, num_hidden=14, lr_multiplier=0.5, rng=rng)
    wide.load_state_dict(recoloured_state(decoder, change))
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
    made, styled = wide(x), RecolouredDecoder(decoder, change)(x)
    assert torch.allclose(made.geometry, styled.geometry, atol=1e-5)
    assert torch.allclose(made.features, styled.features, atol=1e-5)
    assert torch.allclose(wide.density(x), decoder.density(x), atol=1e-5)
