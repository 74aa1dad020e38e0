"""Colours of a likeness: palettes, Poisson's equation and trust, on a ball."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from triptych.camera import look_at_camera
from triptych.systems.lift.colours import Colours, _with_clothes
from triptych.systems.lift.confidence import confidence_of, facing_of
from triptych.systems.lift.fill import carried, fine_structure, joined, recoloured, without_back
from triptych.systems.lift.levels import rate_factor
from triptych.systems.lift.mirror import MirrorImage
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.regions import HAIR, SKIN
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


def test_a_photo_shows_what_lies_inside_of_its_edges(photo):
    half = np.ones((SIZE, SIZE), bool)
    half[64:] = False
    cut = dataclasses.replace(photo, inside=half)
    places = np.array([[10.5, 63.9], [10.5, 64.1], [-0.1, 10.0], [127.9, 10.0], [128.1, 10.0]])
    assert cut.shows(places).tolist() == [True, False, False, True, False]


def test_another_region_is_trusted_only_where_it_is_seen_from_ahead(surface, photo):
    regions, other = one_region(surface), np.roll(one_region(surface), 1, axis=1)
    confidence = confidence_of(surface, photo, regions, other)
    facing = facing_of(surface, photo.pinhole.position)
    assert confidence[facing > 0.97].min() > 0.9
    assert confidence[facing < 0.5].max() == 0.0


def test_a_region_takes_the_photos_median_and_spread():
    rng = np.random.default_rng(0)
    avatar = np.tile(rng.normal(0.3, 0.05, (400, 1)), 3)
    photo = np.tile(rng.normal(0.6, 0.06, (400, 1)), 3)
    regions = np.tile([1.0, 0.0], (400, 1))
    moved = recoloured(avatar, photo, np.ones(400), regions)
    assert np.median(moved, axis=0) == pytest.approx(np.median(photo, axis=0), abs=0.01)
    assert moved.std() == pytest.approx(photo.std(), rel=0.1)


def test_a_region_that_is_not_seen_keeps_the_avatars_colours():
    avatar = np.random.default_rng(0).random((100, 3))
    regions = np.tile([1.0, 0.0], (100, 1))
    moved = recoloured(avatar, 1 - avatar, np.zeros(100), regions)
    assert moved == pytest.approx(avatar)


def test_the_guides_gradients_are_followed_where_the_photo_says_nothing(surface):
    """Photo = guide + 0.1 in front: then it is that everywhere, but for the tie to the guide."""
    guide = 0.4 + 0.2 * surface.smoothed(surface.vertices, 0)
    front = (surface.vertices[:, 2] > 0).astype(float)
    colours = joined(surface, guide + 0.1, guide, front, one_region(surface))
    added = colours - guide
    assert added[front > 0].mean() == pytest.approx(0.1, abs=0.01)
    assert 0.01 < added[front == 0].mean() <= 0.1


def test_regions_are_carried_on_behind_the_head(surface):
    """Left hair and right cloth, told in front: each side's goes on to its back."""
    x, _, z = surface.vertices.T
    left = (x < 0).astype(float)
    shares = np.column_stack([0 * left, left, 1 - left, 0 * left])
    front = z > 0.02
    shares[~front] = [1.0, 0.0, 0.0, 0.0]
    regions = carried(surface, shares, front.astype(float))
    assert regions.sum(axis=1) == pytest.approx(np.ones(len(surface)))
    behind = z < -0.05
    assert regions[behind & (x < -0.1), 1].min() > 0.5
    assert regions[behind & (x > 0.1), 2].min() > 0.5
    assert regions[:, 0].max() < 0.02


def test_bodies_are_dressed_unless_long_hair_hangs_before_them():
    """Shoulders that look like hair, hair before them, skin below the photo, what is low."""
    heights = np.array([0.1, -0.25, -0.25, -0.1, -0.45])
    vertices = np.column_stack([0 * heights, heights, [0.1, -0.1, 0.1, 0.1, -0.1]])
    skin, hair, cloth = np.eye(4)[:3]
    below = np.array([False, False, False, True, False])
    for front, shoulder in ((cloth, cloth), (hair, hair)):
        shares = np.stack([hair, hair, front, skin, skin])
        dressed, known = _with_clothes(shares, np.array([1.0, 1, 1, 1, 0]), vertices, below)
        assert dressed == pytest.approx(np.stack([hair, shoulder, front, cloth, cloth]))
        assert known == pytest.approx([1, 1, 1, 1, 0.5])


def test_hair_goes_round_a_head_at_its_height(surface):
    """Hair above and skin below, told at the sides alone, meet behind where they meet there."""
    x, y, _ = surface.vertices.T
    shares = np.where((y > 0)[:, None], [0.0, 1, 0, 0], [1.0, 0, 0, 0])
    side = np.abs(x) > 0.15
    regions = carried(surface, shares, side.astype(float))
    middle = np.abs(x) < 0.05
    assert regions[middle & (y > 0.05) & (y < 0.2), 1].min() > 0.8
    assert regions[middle & (y < -0.05) & (y > -0.2), 0].min() > 0.8


def test_behind_the_head_the_avatar_has_each_regions_median(surface):
    front = surface.vertices[:, 2] > 0
    avatar = np.where(front[:, None], [0.2, 0.4, 0.6], [0.9, 0.9, 0.9])
    plain = without_back(avatar, one_region(surface), front.astype(float))
    assert plain == pytest.approx(np.tile([0.2, 0.4, 0.6], (len(surface), 1)))


def test_shades_stay_on_the_line_of_the_photos_colours():
    """An avatar's blue shadows become the photo's brown ones."""
    rng = np.random.default_rng(0)
    shade = rng.uniform(0.2, 0.6, (300, 1))
    avatar = np.hstack([0.5 * shade, 0.5 * shade, 2.0 * shade])
    photo = np.random.default_rng(1).permutation(shade) * [1.0, 0.6, 0.3]
    moved = recoloured(avatar, photo, np.ones(300), np.ones((300, 1)))
    ratio = moved / moved[:, :1]
    assert ratio == pytest.approx(np.tile([1.0, 0.6, 0.3], (300, 1)), abs=0.05)


def test_the_back_of_the_hair_gets_the_fine_structure_of_its_front(surface):
    hair = np.roll(one_region(surface), 1, axis=1)
    front = (surface.vertices[:, 2] > 0.05).astype(float)
    noise = np.random.default_rng(0).normal(0.0, 0.05, (len(surface), 1))
    photo = 0.5 + np.repeat(noise, 3, axis=1)
    position = np.array([0.0, 0.0, 2.7])
    added = fine_structure(surface, photo, front, hair, position)
    behind = surface.vertices[:, 2] < -0.1
    assert 0.02 < added[behind].std() < 0.06
    assert abs(added[behind].mean()) < 0.01
    assert not added[front > 0].any()


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
    # Black and white stay out of reach of the colours' sigmoid.
    assert torch.allclose(seen.colours, torch.tensor([0.96, -0.96, -0.96]))


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
    # beside the photo's own view, a pixel is what the ray through its centre meets
    assert views.alpha[1:].unique().tolist() == [0.0, 1.0]


def test_rates_rise_then_fall_as_a_cosine():
    factors = [rate_factor(step, 100, 1.0, 0.1, 10) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9]
    assert factors[50] == pytest.approx(0.55)
    assert factors[-1] == pytest.approx(0.1, abs=0.01)


def test_the_hidden_side_of_a_face_is_its_seen_sides_mirror_image(surface):
    mirror = MirrorImage.of(surface, -0.4)
    right = surface.vertices[:, 0] > 0
    middle = np.abs(surface.vertices[:, 0]) < 0.02
    assert np.abs(surface.vertices[mirror.partner] * [-1, 1, 1] - surface.vertices).max() < 1e-6
    assert np.allclose(mirror.near, 1)

    skin = one_region(surface)
    seen = np.where(right[:, None], [0.8, 0.6, 0.5], [0.1, 0.1, 0.1])  # the left shows hair
    confidence = np.where(right, 1.0, 0.2)
    ahead = np.ones(len(surface))
    left, colours, use = mirror.colours(seen, confidence, skin, ahead)
    hidden = ~right & ~middle
    assert (left[hidden] == 0).all()
    assert np.allclose(colours[hidden], [0.8, 0.6, 0.5])
    assert np.allclose(use[hidden], 1)
    assert np.allclose(left[right & ~middle], 1)

    hair = np.zeros_like(skin)
    hair[:, HAIR] = 1
    parted = mirror.colours(seen, confidence, hair, ahead)
    assert (parted[2] == 0).all(), "hair may be parted"
    told = MirrorImage.of(surface, 0.1).colours(seen, confidence, skin, ahead)
    assert np.array_equal(told[0], confidence), "a face that is hardly turned shows both sides"
    rim = mirror.colours(seen, np.ones(len(surface)), skin, np.where(right, 1.0, 0.3))
    assert (rim[0][hidden] == 0).all(), "hair behind the face may show at its rim"


def test_regions_of_the_seen_face_are_those_of_the_hidden_one(surface):
    right = surface.vertices[:, 0] > 0.02
    regions = one_region(surface)
    regions[~right] = np.eye(4)[HAIR]
    shares, told = MirrorImage.of(surface, -0.4).regions(regions, np.where(right, 1.0, 0.0))
    hidden = surface.vertices[:, 0] < -0.02
    assert np.allclose(shares[hidden], np.eye(4)[SKIN])
    assert np.allclose(told[hidden], 1)
    assert np.allclose(shares[right], regions[right])


def test_the_other_sides_gradients_are_taken_in_the_own_light(surface):
    x, y, _ = surface.vertices.T
    mirrored = np.column_stack([y, y, y]) + 0.9  # brighter, and it changes upwards
    seen = np.where(x[:, None] > 0, np.column_stack([y, y, y]) + 0.5, 0.0)
    guide = np.zeros_like(seen)
    trusted, use = (x > 0).astype(float), (x < 0).astype(float)
    fill = joined(surface, seen, guide, trusted, one_region(surface), mirrored, use)
    near = (x < -0.02) & (x > -0.06)
    slope = np.polyfit(y[near], fill[near, 0], 1)
    assert slope[0] == pytest.approx(1, abs=0.1)
    assert slope[1] == pytest.approx(0.5, abs=0.1)
