"""The shape of a likeness: projection, masks, warps and solids that can be derived by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from triptych.camera import look_at_camera
from triptych.photos.detectors.window import Window
from triptych.systems.lift.outlines import match_outlines, outline_of
from triptych.systems.lift.pinhole import Pinhole, sampled, smoothstep
from triptych.systems.lift.silhouette import inside_photo, person_of, with_crown
from triptych.systems.lift.solid import Solid, fitted_to_outline, lattice
from triptych.systems.lift.surface import Surface
from triptych.systems.lift.temples import move_behind_temples
from triptych.systems.lift.warp import warp_to_avatar

SIZE = 128


def disc(x: float, y: float, radius: float, size: int = SIZE) -> np.ndarray:
    rows, columns = np.mgrid[0:size, 0:size] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def ball(radius: float, resolution: int = 48) -> np.ndarray:
    """Raw densities that are 0 on a sphere and grow by 1500 per unit towards its middle."""
    far = np.linalg.norm(lattice(resolution, 1.0), axis=1)
    return (1500 * (radius - far)).reshape([resolution] * 3).astype(np.float32)


def test_the_frontal_camera_sees_the_axis_in_the_middle_and_y_upwards():
    pinhole = Pinhole.of(look_at_camera(0.0, 0.0), SIZE)
    pixels, depth = pinhole.project(np.array([[0.0, 0.0, 0.2], [0.0, 0.1, 0.2], [0.1, 0.0, 0.2]]))
    assert depth == pytest.approx([2.5] * 3, abs=1e-5)
    shift = 0.1 / 2.5 * 4.2647 * SIZE
    wanted = [[64, 64], [64, 64 - shift], [64 + shift, 64]]
    assert pixels == pytest.approx(np.array(wanted), abs=1e-3)


def test_points_come_back_from_their_pixels():
    pinhole = Pinhole.of(look_at_camera(0.4, -0.2), SIZE)
    points = np.random.default_rng(0).uniform(-0.4, 0.4, (50, 3))
    assert pinhole.unproject(*pinhole.project(points)) == pytest.approx(points, abs=1e-6)


def test_pictures_are_read_at_pixel_centres_and_between():
    picture = np.arange(12.0).reshape(3, 4)
    places = np.array([[0.5, 0.5], [2.0, 0.5], [3.5, 2.5], [99.0, 99.0]])
    assert sampled(picture, places) == pytest.approx([0.0, 1.5, 11.0, 11.0])


def test_smoothstep_rises_and_falls():
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert smoothstep(values, 0, 1) == pytest.approx([0, 0, 0.5, 1, 1])
    assert smoothstep(values, 1, 0) == pytest.approx([1, 1, 0.5, 0, 0])


def test_a_person_is_one_solid_part():
    probability = disc(64, 64, 40) * 0.9
    probability[60:66, 60:66] = 0.0  # a hole
    probability[:4, :4] = 1.0  # a speck
    person = person_of(probability)
    assert person[62, 62]
    assert not person[:8, :8].any()
    assert person.sum() == pytest.approx(math.pi * 40**2, rel=0.02)


def test_what_lies_outside_the_photo_is_not_inside():
    window = Window(50, 50, 100)  # the crop shows the photo's left 100 pixels and reaches below
    inside = inside_photo(window, 100, 60, 100)
    assert inside[10:50, 10:90].all()
    assert not inside[60:].any()


def test_a_head_that_the_photo_cuts_gets_a_round_top():
    person, inside = disc(64, 64, 40), np.ones((SIZE, SIZE), bool)
    inside[:44] = False
    whole, known = with_crown(person, inside)
    assert known[:44].sum() > 0
    column = np.flatnonzero(whole[:, 64])
    assert 20 <= column[0] <= 36
    assert np.array_equal(whole[50:], person[50:])


def test_a_whole_head_is_left_as_it_is():
    person, inside = disc(64, 64, 30), np.ones((SIZE, SIZE), bool)
    whole, known = with_crown(person, inside)
    assert np.array_equal(whole, person)
    assert known.all()


def test_an_outline_moves_onto_a_shifted_and_larger_one():
    plain = np.ones((16, 16, 1))
    source, target = disc(60, 64, 36), disc(70, 64, 42)
    landmarks = np.array([[50.0, 60], [70, 60], [60, 70], [60, 64]])
    match = match_outlines(
        outline_of(source, plain),
        outline_of(target, plain, step=2.0),
        landmarks,
        landmarks + [10.0, 0.0],
        np.ones((SIZE, SIZE), bool),
    )
    assert match.share > 0.9
    assert match.residual < 1.0
    away = np.linalg.norm(match.target - [70, 64], axis=1)
    assert away == pytest.approx(np.full(len(away), 42.0), abs=1.0)


def test_an_outline_can_be_moved_outwards():
    plain = np.ones((16, 16, 1))
    outline = outline_of(disc(64, 64, 36), plain, outwards=8.0)  # pixels of 512: 2 here
    away = np.linalg.norm(outline.points - 64, axis=1)
    assert away == pytest.approx(np.full(len(away), 38.0), abs=0.7)


def test_a_warp_of_equal_landmarks_leaves_points_where_they_are():
    pinhole = Pinhole.of(look_at_camera(0.0, 0.0), SIZE)
    rng = np.random.default_rng(1)
    landmarks = np.column_stack([rng.uniform(30, 100, (20, 2)), rng.uniform(-5, 5, 20)])
    nothing = np.empty((0, 2))
    front = np.full((SIZE, SIZE), 2.4)
    warp = warp_to_avatar(pinhole, landmarks, landmarks, (nothing, nothing), front)
    points = rng.uniform(-0.2, 0.2, (40, 3))
    assert warp(points) == pytest.approx(points, abs=1e-6)


def test_a_warp_of_shifted_landmarks_moves_points_by_as_many_pixels():
    pinhole = Pinhole.of(look_at_camera(0.0, 0.0), SIZE)
    rng = np.random.default_rng(2)
    photo = np.column_stack([rng.uniform(30, 100, (20, 2)), np.zeros(20)])
    avatar = photo + [5.0, -3.0, 0.0]
    nothing = np.empty((0, 2))
    warp = warp_to_avatar(pinhole, photo, avatar, (nothing, nothing), np.full((SIZE, SIZE), 2.4))
    points = rng.uniform(-0.1, 0.1, (40, 3))
    before, after = (pinhole.project(some)[0] for some in (points, warp(points)))
    assert after - before == pytest.approx(np.tile([5.0, -3.0], (40, 1)), abs=0.05)


def test_a_ball_is_carved_and_filled_to_an_outline():
    pinhole = Pinhole.of(look_at_camera(0.0, 0.0), SIZE)
    known = np.ones((SIZE, SIZE), bool)
    covered = Surface.of_density(ball(0.2), 0.0, 1.0).rasterised(pinhole).hit
    person = disc(78, 64, 36)  # to the right of the ball: part of it is too much, part is missing
    solid = fitted_to_outline(ball(0.2), 0.0, 1.0, pinhole, person, known)
    after = solid.surface().rasterised(pinhole).hit

    def overlap(mask: np.ndarray) -> float:
        return (mask & person).sum() / (mask | person).sum()

    assert solid.overlap == pytest.approx(overlap(covered), abs=0.02)
    assert overlap(covered) < 0.75
    assert overlap(after) > 0.85


def test_parts_that_float_beside_the_head_are_taken_away():
    pinhole = Pinhole.of(look_at_camera(0.0, 0.0), SIZE)
    nowhere = np.zeros((SIZE, SIZE), bool)
    density = ball(0.2)
    density[2:6, 2:6, 2:6] = 30.0
    solid = fitted_to_outline(density, 0.0, 1.0, pinhole, disc(20, 20, 10), nowhere)
    assert solid.density[:8, :8, :8].max() <= -8.0
    assert solid.density[24, 24, 24] > 0


def test_a_solid_is_read_on_a_coarser_lattice():
    line = np.arange(5, dtype=np.float32)
    slope = np.broadcast_to(line[:, None, None], (5, 5, 5))
    solid = Solid(slope, 0.0, 1.0, 0.0, 0.0)
    assert np.array_equal(solid.on_lattice(3), slope[::2, ::2, ::2])
    assert solid.on_lattice(5) is slope


def test_where_the_outline_is_not_known_nothing_is_carved():
    pinhole = Pinhole.of(look_at_camera(0.0, 0.0), SIZE)
    nowhere = np.zeros((SIZE, SIZE), bool)
    solid = fitted_to_outline(ball(0.2), 0.0, 1.0, pinhole, disc(20, 20, 10), nowhere)
    assert np.abs(solid.density - ball(0.2)).mean() < 15
    hit = solid.surface().rasterised(pinhole).hit
    assert hit.sum() == pytest.approx(math.pi * (0.2 / 2.7 * 4.2647 * SIZE) ** 2, rel=0.05)


def test_a_surface_is_drawn_and_sampled_where_it_is():
    surface = Surface.of_density(ball(0.25), 0.0, 1.0)
    assert np.linalg.norm(surface.vertices, axis=1) == pytest.approx(
        np.full(len(surface), 0.25), abs=0.003
    )
    assert surface.areas.sum() == pytest.approx(4 * math.pi * 0.25**2, rel=0.02)
    pinhole = Pinhole.of(look_at_camera(0.0, 0.0), SIZE)
    raster = surface.rasterised(pinhole)
    assert raster.depth[62, 65] == pytest.approx(2.7 - 0.25, abs=0.005)
    chosen, corners = surface.sampled(500, np.random.default_rng(0))
    points = surface.mixed(chosen, corners, surface.vertices)
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.full(500, 0.25), abs=0.005)
    assert surface.smoothed(surface.vertices[:, 0], 2).std() < surface.vertices[:, 0].std()


def test_hair_beside_the_face_moves_behind_its_surface():
    line = np.linspace(-2, 2, 41)
    places = 100 + 50 * np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    across, down = ((places - 100) / 50).T
    face = ((np.abs(across) < 1.01) & (np.abs(down) < 1.01)).astype(float)
    skin = 2.6 + 0.05 * across**2 + 0.01 * down
    beside = (np.abs(across) > 1.05) & (np.abs(across) < 1.15) & (np.abs(down) < 0.5)
    # 0.03 before the face's own surface, of which 0.015 are left
    moved = move_behind_temples(places, np.where(face > 0, skin, skin - 0.03), face)
    assert np.allclose(moved[beside], 0.015)
    assert (moved[face > 0] == 0).all()
    assert (moved[(down < -1.45) | (down > 1.35)] == 0).all(), "crown and shoulders stay"
    assert (move_behind_temples(places, np.where(face > 0, skin, skin + 0.1), face) == 0).all()
    farthest = move_behind_temples(places, np.where(face > 0, skin, skin - 0.5), face)
    assert farthest.max() == pytest.approx(0.05)
