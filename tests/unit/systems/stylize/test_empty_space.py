"""What counts as empty round a ball, and that matter there is found and can be taken away."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_portraits import SPHERE_RADIUS, sphere_portrait

from triptych.editors.image_editor import EditRequest
from triptych.progress import no_progress
from triptych.render.empty_space import EmptySpace
from triptych.systems.stylize.fitting import Fitting
from triptych.systems.stylize.plane_source import trainable_plane_source
from triptych.systems.stylize.views import edit_views, render_originals

MARGIN = 0.1


@pytest.fixture(scope="module")
def ball():
    return sphere_portrait()


@pytest.fixture(scope="module")
def empty_space(ball) -> EmptySpace:
    return EmptySpace(ball.occupancy, ball.config.rendering, MARGIN)


def test_empty_places_keep_the_margin_and_fill_the_rest(ball, empty_space):
    within = empty_space.places[empty_space.places.abs().amax(dim=1) < ball.box_size / 2]
    distance = within.norm(dim=1)
    cell = ball.box_size / 64
    assert distance.min() > SPHERE_RADIUS + MARGIN - cell
    # A cell's neighbourhood is a cube, so corners reach sqrt(3) margins out; beyond, all is empty.
    far = SPHERE_RADIUS + 3**0.5 * (MARGIN + 2 * cell)
    axis = (torch.arange(64) + 0.5) * cell - ball.box_size / 2
    everywhere = torch.cartesian_prod(axis, axis, axis).norm(dim=1)
    assert int((distance > far).sum()) == int((everywhere > far).sum())


def test_space_beyond_the_cube_is_as_empty_as_the_cubes_faces(ball, empty_space):
    beyond = empty_space.places[empty_space.places.abs().amax(dim=1) > ball.box_size / 2]
    # The ball touches no face: all 66^3 - 64^3 cells beyond are empty.
    assert len(beyond) == 66**3 - 64**3


def test_points_lie_in_the_empty_cells(ball, empty_space):
    points = empty_space.draw(500, torch.Generator().manual_seed(0))
    assert points.shape == (1, 500, 3)
    half_cell = ball.box_size / 64 / 2
    apart = (points[0, :, None] - empty_space.places[None]).abs().amax(dim=-1).amin(dim=1)
    assert apart.max() <= half_cell + 1e-6


def test_the_head_itself_costs_nothing_and_a_larger_one_does(ball, empty_space):
    points = empty_space.draw(2000, torch.Generator().manual_seed(0))
    assert empty_space.occupied(ball.field, points) == 0
    larger = sphere_portrait(SPHERE_RADIUS + 2 * MARGIN)
    inside = points[0].norm(dim=1) < SPHERE_RADIUS + 2 * MARGIN
    raw = larger.field.geometry(points)[0, :, 0]
    by_hand = (raw - empty_space.limit).clamp(min=0).sum() / 2000
    assert inside.any()
    torch.testing.assert_close(empty_space.occupied(larger.field, points), by_hand)


def test_matter_can_be_descended(empty_space):
    larger = sphere_portrait(SPHERE_RADIUS + 2 * MARGIN)
    planes = larger.planes.clone().requires_grad_()
    field = dataclasses.replace(larger.field, planes=planes)
    points = empty_space.draw(2000, torch.Generator().manual_seed(1))
    before = empty_space.occupied(field, points)
    (gradient,) = torch.autograd.grad(before, planes)
    lower = dataclasses.replace(field, planes=planes - 1e-3 * gradient / gradient.abs().max())
    assert empty_space.occupied(lower, points) < before


class BallAndSpeck:
    """A ball of raw density, and a small one beside it."""

    def __init__(self, box_size, limit):
        self.box_size, self._limit = box_size, limit

    def geometry(self, points):
        speck = torch.tensor([0.4, 0.1, -0.2])
        within = (points.norm(dim=-1) < 0.2) | ((points - speck).norm(dim=-1) < 0.02)
        return self._limit + torch.where(within, 1.0, -1.0)[..., None]


def test_half_the_draws_are_round_what_hangs_loose(ball):
    space = EmptySpace(ball.occupancy, ball.config.rendering, MARGIN)
    before = space.draw(100, torch.Generator().manual_seed(0))
    space.find_loose(BallAndSpeck(ball.box_size, space.limit))
    assert len(space.loose) > 4
    speck = torch.tensor([0.4, 0.1, -0.2])
    assert (space.loose - speck).norm(dim=1).max() < 0.02
    points = space.draw(100, torch.Generator().manual_seed(0))
    assert points.shape == (1, 100, 3)
    assert ((points[0] - speck).norm(dim=1) < 0.07).sum() >= 50
    space.loose = space.loose[:0]
    assert torch.equal(space.draw(100, torch.Generator().manual_seed(0)), before)


@pytest.mark.parametrize("changes", [{"empty_weight": 0.0}, {"background_margin": None}])
def test_published_fitting_has_no_such_term(changes, pipeline, editor, settings, tmp_path):
    settings = dataclasses.replace(settings, **changes)
    head = pipeline.subject(3)
    originals = render_originals(head, settings, tmp_path, no_progress)
    request, folder = EditRequest("blue"), tmp_path / "views"
    views = edit_views(originals, editor, request, settings, folder, {}, no_progress)
    source = trainable_plane_source(
        "full", pipeline.image_to_triplane, pipeline.generator, head.ws, 0
    )
    assert Fitting(source, head, views, settings, None, 0).empty_space is None
