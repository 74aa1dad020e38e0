"""Iterations under way: who stays, who leaves, what is handed on."""

from __future__ import annotations

import torch

from triptych.camera import look_at_camera
from triptych.systems.invert.training.slots import RestyleSlots, stacked
from triptych.systems.invert.training.targets import Target

MEAN = torch.full((2, 3), 0.25)
CAMERA = look_at_camera(0.1, 0.0)


def target_of(seed: int) -> Target:
    image = torch.full((3, 8, 8), float(seed))
    return Target(image, CAMERA, image + 0.5, CAMERA)


def slots_of(places: range, num_steps: int, stagger: bool) -> RestyleSlots:
    return RestyleSlots(
        places,
        num_steps,
        start=lambda: MEAN,
        first_reconstruction=lambda camera: torch.full((3, 4, 4), -1.0),
        stagger=stagger,
    )


def ages(slots: RestyleSlots, updates: int) -> list[list[float]]:
    """Return who sits in each slot at each update; new seeds are 100 per update."""
    seen = []
    for update in range(updates):
        seeds = [100 * update + place for place in range(4)]
        slots.refill(target_of, seeds)
        batch = slots.batch()
        seen.append([float(value) for value in batch.image[:, 0, 0, 0]])
        slots.advance(batch.ws + 1, batch.reconstruction + 1)
    return seen


def test_all_leave_together_without_stagger():
    seen = ages(slots_of(range(4), 3, stagger=False), 6)
    assert seen[0] == seen[1] == seen[2] == [0, 1, 2, 3]
    assert seen[3] == seen[5] == [300, 301, 302, 303]


def test_with_stagger_the_first_leave_one_after_the_other():
    seen = ages(slots_of(range(4), 3, stagger=True), 5)
    assert seen[0] == [0, 1, 2, 3]
    assert seen[1] == [100, 1, 2, 103]
    assert seen[2] == [100, 201, 2, 103]
    assert seen[3] == [100, 201, 302, 103]
    assert seen[4] == [400, 201, 302, 403]


def test_a_step_starts_where_the_last_one_ended():
    slots = slots_of(range(1), 2, stagger=False)
    slots.refill(target_of, [7])
    batch = slots.batch()
    assert torch.equal(batch.ws, MEAN[None])
    assert bool((batch.reconstruction == -1).all())
    moved = (batch.ws + 1).requires_grad_(True)
    slots.advance(moved, torch.zeros(1, 3, 4, 4))
    slots.refill(target_of, [8])
    batch = slots.batch()
    assert torch.equal(batch.ws, MEAN[None] + 1)
    assert not batch.ws.requires_grad
    assert bool((batch.reconstruction == 0).all())
    assert float(batch.image[0, 0, 0, 0]) == 7


def test_processes_hold_the_slots_of_one_batch():
    whole = ages(slots_of(range(4), 3, stagger=True), 4)
    stays = []
    for process in range(2):
        slots = slots_of(range(process, 4, 2), 3, stagger=True)
        rows = []
        for update in range(4):
            slots.refill(target_of, [100 * update + place for place in (process, process + 2)])
            batch = slots.batch()
            rows.append([float(value) for value in batch.image[:, 0, 0, 0]])
            slots.advance(batch.ws, batch.reconstruction)
        stays.append(rows)
    for update in range(4):
        first, second = stays[0][update], stays[1][update]
        assert [first[0], second[0], first[1], second[1]] == whole[update]


def test_what_is_unknown_is_zero_in_a_batch():
    known = Target(
        torch.zeros(3, 8, 8),
        CAMERA,
        torch.zeros(3, 8, 8),
        CAMERA,
        ws=torch.ones(2, 3),
        uncertainty=torch.ones(8, 8),
        seen=torch.full((3, 8, 8), 9.0),
    )
    batch = stacked([known, target_of(1)], MEAN.expand(2, -1, -1), torch.zeros(2, 3, 4, 4))
    assert batch.is_known.tolist() == [True, False]
    assert batch.known_ws.mean(dim=(1, 2)).tolist() == [1.0, 0.0]
    assert batch.uncertainty.mean(dim=(1, 2)).tolist() == [1.0, 0.0]
    assert batch.seen[:, 0, 0, 0].tolist() == [9.0, 1.0]
    assert len(batch.camera) == 2
