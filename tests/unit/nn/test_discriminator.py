from __future__ import annotations

import pytest
import torch

from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator, append_group_spread

CONFIG = DiscriminatorConfig(image_size=16, channel_base=64, channel_max=8, num_mapping_layers=2)


def images(batch: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(19)
    image, raw = (
        torch.randn(batch, 3, 16, 16, generator=rng),
        torch.randn(batch, 3, 8, 8, generator=rng),
    )
    return image, raw, torch.randn(batch, 25, generator=rng)


def test_scores_both_images_and_the_label():
    model, (image, raw, label) = DualDiscriminator(CONFIG), images()
    logits = model(image, raw, label)
    assert logits.shape == (4, 1)
    for changed in ((image + 1, raw, label), (image, raw + 1, label), (image, raw, label + 1)):
        assert (model(*changed) - logits).abs().max() > 1e-5


def test_unconditional():
    config = DiscriminatorConfig(image_size=16, channel_base=64, channel_max=8, label_dim=0)
    image, raw, _ = images()
    assert DualDiscriminator(config)(image, raw).shape == (4, 1)


def test_labels_are_not_modified():
    model, (image, raw, label) = DualDiscriminator(CONFIG), images()
    kept = label.clone()
    model(image, raw, label)
    assert torch.equal(label, kept)


def test_group_spread_by_hand():
    """Samples 0 and 2 share a group, and 1 and 3; the spread of -1 and 1 is 1."""
    x = torch.zeros(4, 2, 3, 3)
    x[0], x[2] = -1.0, 1.0
    spread = append_group_spread(x, 2)[:, 2]
    torch.testing.assert_close(spread[[0, 2]], torch.ones(2, 3, 3))
    torch.testing.assert_close(spread[[1, 3]], torch.full((2, 3, 3), 1e-4))


@pytest.mark.parametrize("group_size", [None, 8])
def test_small_batches_are_one_group(group_size):
    x = torch.stack([torch.full((1, 2, 2), value) for value in (-1.0, 0.0, 1.0)])
    spread = append_group_spread(x, group_size)[:, 1]
    torch.testing.assert_close(spread, torch.full((3, 2, 2), (2 / 3) ** 0.5))


def test_penalty_has_gradients():
    model, (image, raw, label) = DualDiscriminator(CONFIG), images()
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(model(image, raw, label).sum(), image, create_graph=True)
    gradient.square().sum().backward()
    assert model.b16.fromrgb.weight.grad.abs().max() > 0
