"""Colours of a likeness: palettes, Poisson's equation and trust, on a ball."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from triptych.camera import look_at_camera
from triptych.systems.lift.colours import Colours
from triptych.systems.lift.confidence import confidence_of, facing_of
from triptych.systems.lift.fill import joined, recoloured
from triptych.systems.lift.levels import rate_factor
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.solid import lattice
from triptych.systems.lift.surface import Surface
from triptych.systems.lift.targets import photo_points, surface_points, view_targets

SIZE, RADIUS = 128, 0.25


@pytest.fixture(scope="module")
def surface() -> Surface:
    far = np.linalg.norm(lattice(32, 1.0), axis=1).reshape(32, 32, 32)
    return Surface.of_density((1500 * (RADIUS - far)).astype(np.float32), 0.0, 1.0)


@pytest.fixture(scope="module")
def photo(surface) -> Photograph:
    """A red ball before blue, as its outline from the front is."""
    camera = look_at_camera(0.0, 0.0)
    empty = np.zeros((SIZE, SIZE, 3))
    everything = np.ones((SIZE, SIZE), bool)
    first = Photograph(empty, camera, np.zeros((3, 3)), everything, everything)
    person = surface.rasterised(first.pinhole).hit
    colours = np.where(person[..., None], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    return Photograph(colours, camera, np.zeros((3, 3)), person, everything)


def one_region(surface: Surface) -> np.ndarray:
    return np.tile([1.0, 0.0, 0.0, 0.0], (len(surface), 1))


def test_the_front_is_trusted_and_rim_and_back_are_not(surface, photo):
    regions = one_region(surface)
    confidence = confidence_of(surface, photo, regions, regions)
    facing = facing_of(surface, photo.pinhole.position)
    assert confidence[facing > 0.8].min() > 0.95
    assert confidence[facing < 0.1].max() == 0.0
    assert confidence.max() <= 1.0


def test_another_region_is_trusted_only_where_it_is_seen_from_ahead(surface, photo):
    regions, other = one_region(surface), np.roll(one_region(surface), 1, axis=1)
    confidence = confidence_of(surface, photo, regions, other)
    facing = facing_of(surface, photo.pinhole.position)
    assert confidence[facing > 0.97].min() > 0.9
    assert confidence[facing < 0.5].max() == 0.0


def test_a_region_takes_the_photos_median_and_spread():
    rng = np.random.default_rng(0)
    avatar = np.clip(rng.normal(0.3, 0.05, (400, 3)), 0, 1)
    photo = np.clip(rng.normal(0.6, 0.06, (400, 3)), 0, 1)
    regions = np.tile([1.0, 0.0], (400, 1))
    moved = recoloured(avatar, photo, np.ones(400), regions)
    assert np.median(moved, axis=0) == pytest.approx(np.median(photo, axis=0), abs=0.01)
    assert moved.std() == pytest.approx(photo.std(), rel=0.1)


def test_a_region_that_is_not_seen_keeps_the_avatars_colours():
    avatar = np.random.default_rng(0).random((100, 3))
    regions = np.tile([1.0, 0.0], (100, 1))
    moved = recoloured(avatar, 1 - avatar, np.zeros(100), regions)
    assert moved == pytest.approx(avatar)


def test_without_gradients_the_photos_colour_is_carried_on(surface):
    """Poisson's equation with a constant guide and constant values has one solution."""
    front = (surface.vertices[:, 2] > 0).astype(float)
    grey = np.full((len(surface), 3), 0.2)
    photo = np.full((len(surface), 3), 0.7)
    nowhere = np.zeros(len(surface))
    colours = joined(surface, photo, grey, front, one_region(surface), nowhere)
    assert colours == pytest.approx(np.full_like(photo, 0.7), abs=0.01)


def test_the_guides_gradients_are_followed_where_the_photo_says_nothing(surface):
    """Photo = guide + 0.1 in front: then it is that everywhere, but for the tie to the guide."""
    guide = 0.4 + 0.2 * surface.smoothed(surface.vertices, 0)
    front = (surface.vertices[:, 2] > 0).astype(float)
    everywhere = np.ones(len(surface))
    colours = joined(surface, guide + 0.1, guide, front, one_region(surface), everywhere)
    added = colours - guide
    assert added[front > 0].mean() == pytest.approx(0.1, abs=0.01)
    assert 0.01 < added[front == 0].mean() <= 0.1


def test_targets_have_the_photos_colours_in_front(surface, photo):
    regions = one_region(surface)
    confidence = confidence_of(surface, photo, regions, regions)
    green = np.tile([0.0, 1.0, 0.0], (len(surface), 1))
    colours = Colours(surface, photo, confidence, green)
    points = surface_points(colours, np.random.default_rng(0))
    front, back = points.points[:, 2] > 0.22, points.points[:, 2] < 0
    assert torch.allclose(points.colours[front], torch.tensor([1.0, -1.0, -1.0]), atol=0.05)
    assert torch.allclose(points.colours[back], torch.tensor([-1.0, 1.0, -1.0]), atol=0.05)
    inwards = -points.points / points.points.norm(dim=1, keepdim=True)
    assert float((points.inwards * inwards).sum(dim=1).min()) > 0.95
    seen = photo_points(colours)
    assert torch.allclose(seen.points.norm(dim=1), torch.tensor(RADIUS), atol=0.005)
    assert torch.allclose(seen.colours, torch.tensor([1.0, -1.0, -1.0]))


def test_views_are_the_ball_over_the_background(surface, photo):
    colours = Colours(surface, photo, np.ones(len(surface)), np.zeros((len(surface), 3)))
    views = view_targets(colours, 32, 0.5, 2, 1, torch.Generator().manual_seed(0))
    assert len(views.cameras) == 4
    assert views.size == 32
    middle, corner = 32 * 16 + 14, 0
    assert views.images[0, middle].tolist() == pytest.approx([1.0, -1.0, -1.0], abs=0.05)
    assert views.images[:, corner].unique().tolist() == pytest.approx([0.5])
    assert views.distance[0, middle] == pytest.approx(2.7 - RADIUS, abs=0.02)
    assert views.alpha[:, middle].tolist() == pytest.approx([1.0] * 4)


def test_rates_rise_then_fall_as_a_cosine():
    factors = [rate_factor(step, 100, 1.0, 0.1, 10) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9]
    assert factors[50] == pytest.approx(0.55)
    assert factors[-1] == pytest.approx(0.1, abs=0.01)
