"""Code entries that carry attributes."""

from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.models.attribute_schema import ATTRIBUTE_DIM, attribute_slices
from triptych.models.eg3d import TriPlaneGenerator, avatar_config
from triptych.training.passthrough_latents import with_passthrough


@pytest.fixture(scope="module")
def generator():
    return TriPlaneGenerator(avatar_config(ATTRIBUTE_DIM)).eval().requires_grad_(False)


@pytest.fixture
def people():
    return torch.randn(4, ATTRIBUTE_DIM, generator=torch.Generator().manual_seed(0))


def test_pictures_stay_the_same(generator, people):
    wider = with_passthrough(generator, ("garment_rgb",))
    expected = generator.planes(generator.mapping(people))
    actual = wider.planes(wider.mapping(people))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_carriers_follow_their_colour_alone_and_in_proportion(generator, people):
    wider = with_passthrough(generator, ("hair_rgb", "garment_rgb"))
    people[:, attribute_slices()["garment_rgb"]] = torch.tensor(
        [[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [2, 0, 0]]
    )
    hair, garment = wider.mapping(people)[:, 0, -6:].split(3, dim=1)
    steps = (garment - garment[:1]) / 40
    expected = torch.tensor([[0, 0, 0], [1, 0, 0], [1 / 3, 1.2, 0], [2 / 3, 2.4, 0]])
    torch.testing.assert_close(steps, expected, rtol=0, atol=1e-4)
    assert not torch.allclose(hair, garment)


def test_other_attributes_are_carried_number_by_number(generator, people):
    wider = with_passthrough(generator, ("smile", "ears"))
    assert wider.config.w_dim == generator.config.w_dim + 5
    slices = attribute_slices()
    moved = people.clone()
    moved[:, slices["smile"]] += 0.5
    moved[:, slices["ears"]] += torch.tensor([0.1, 0.2, 0.3, 0.4])
    steps = (wider.mapping(moved) - wider.mapping(people))[:, 0, -5:] / 40
    expected = torch.tensor([0.5, 0.1, 0.2, 0.3, 0.4]).expand(4, -1)
    torch.testing.assert_close(steps, expected, rtol=0, atol=1e-4)


def test_old_entries_keep_their_values(generator, people):
    wider = with_passthrough(generator, ("iris_rgb",))
    kept = wider.mapping(people)[..., : generator.config.w_dim]
    torch.testing.assert_close(kept, generator.mapping(people), rtol=1e-4, atol=1e-4)


def test_an_unknown_attribute_names_those_there_are(generator):
    with pytest.raises(UserError, match=r"'height'.*garment_rgb"):
        with_passthrough(generator, ("height",))


def test_latents_that_are_no_attributes_are_refused():
    other = TriPlaneGenerator(avatar_config(7))
    with pytest.raises(UserError, match=r"7 numbers, not the \d+ attributes"):
        with_passthrough(other, ("garment_rgb",))
