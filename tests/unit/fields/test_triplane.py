from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F

from triptych.fields.base import NO_DENSITY
from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField


def field(batch: int = 2) -> TriPlaneField:
    rng = torch.Generator().manual_seed(8)
    decoder = TriPlaneDecoder(4, 5, num_hidden=7, rng=rng).requires_grad_(False)
    return TriPlaneField(torch.randn(batch, 3, 4, 9, 9, generator=rng), decoder)


def points(batch: int) -> torch.Tensor:
    return torch.rand(batch, 11, 3, generator=torch.Generator().manual_seed(9)) * 1.4 - 0.7


def test_decoder_formula_at_points_that_read_nothing():
    """Outside the box the planes read zeros, so only the biases speak."""
    subject = field()
    first, last = subject.decoder.net[0], subject.decoder.net[2]
    first.bias.copy_(torch.linspace(-1, 1, 7))
    last.bias.copy_(torch.linspace(-0.5, 0.5, 6))
    sample = subject.query(torch.full((2, 3, 3), 4.0))
    decoded = F.softplus(first.bias) @ last.weight.t() / 7**0.5 + last.bias
    torch.testing.assert_close(sample.geometry[0, 0], decoded[:1])
    expected = torch.sigmoid(decoded[1:]) * 1.002 - 0.001
    torch.testing.assert_close(sample.features[1, 2], expected)


def test_planes_are_averaged():
    same = field(1).planes[:, :1, :, 4:5, 4:5].expand(1, 3, -1, 9, 9)
    subject = TriPlaneField(same, field().decoder)
    at_centre = subject.decoder(same[:, 0, :, 4, 4])
    sample = subject.query(torch.zeros(1, 1, 3))
    torch.testing.assert_close(sample.geometry[0], at_centre.geometry)
    torch.testing.assert_close(sample.features[0], at_centre.features)


def test_one_portrait_answers_for_any_batch_of_points():
    both, where = field(), points(3)
    alone = TriPlaneField(both.planes[:1], both.decoder)
    together = alone.query(where)
    for index in range(3):
        single = alone.query(where[index : index + 1])
        torch.testing.assert_close(together.geometry[index], single.geometry[0])
        torch.testing.assert_close(together.features[index], single.features[0])
    assert together.geometry.shape == (3, 11, 1)
    assert together.features.shape == (3, 11, 5)


def test_a_batch_gives_what_its_members_give():
    subject, where = field(), points(2)
    together = subject.query(where)
    second = TriPlaneField(subject.planes[1:], subject.decoder).query(where[1:])
    torch.testing.assert_close(together.features[1:], second.features)


def test_density_alone_is_the_density_of_the_query():
    subject, where = field(), points(2)
    torch.testing.assert_close(subject.geometry(where), subject.query(where).geometry)


def test_planes_that_learn_are_read_alike_and_points_that_learn_get_gradients():
    fixed, where = field(), points(2)
    exact = fixed.query(where)
    learning = TriPlaneField(fixed.planes.clone().requires_grad_(), fixed.decoder).query(where)
    torch.testing.assert_close(learning.geometry.detach(), exact.geometry)
    torch.testing.assert_close(learning.features.detach(), exact.features)
    moved = where.clone().requires_grad_()
    planes = fixed.planes.clone().requires_grad_()
    TriPlaneField(planes, fixed.decoder).geometry(moved).sum().backward()
    assert moved.grad is not None
    assert planes.grad is not None
    assert moved.grad.abs().sum() > 0


def test_beyond_the_box_there_may_be_nothing():
    decoded, where = field(), points(2)
    empty = replace(decoded, beyond_box="empty")
    beyond = where.abs().amax(dim=-1) > decoded.box_size / 2
    assert beyond.any()
    assert not beyond.all()
    before, after = decoded.query(where), empty.query(where)
    assert torch.equal(after.geometry[~beyond], before.geometry[~beyond])
    assert torch.equal(after.features, before.features)
    assert (after.geometry[beyond] == NO_DENSITY).all()
    assert (empty.geometry(where)[beyond] == NO_DENSITY).all()
    torch.testing.assert_close(empty.geometry(where), after.geometry)


def test_the_faces_belong_to_the_box():
    empty = replace(field(1), beyond_box="empty")
    face, outside = torch.tensor([0.5, -0.5, 0.5]), torch.tensor([0.5, 0.5001, 0.0])
    density = empty.geometry(torch.stack([face, outside])[None])[0, :, 0]
    assert density[0] > NO_DENSITY
    assert density[1] == NO_DENSITY
