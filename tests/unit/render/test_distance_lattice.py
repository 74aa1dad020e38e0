"""How far off interpolated distances may be: a parabola's, by hand; a tolerance that holds."""

from __future__ import annotations

import torch

from triptych.render.distance_lattice import DistanceLattice, lattice_points

SIZE = 2.0


def _wavy(points):
    return (points.norm(dim=-1, keepdim=True) - 0.2) + 0.1 * (9 * points[..., :1]).sin()


def test_a_parabola_is_off_by_an_eighth_of_its_second_difference_between_two_points():
    line = torch.linspace(-1, 1, 9)  # spacing 1/4
    values = (line**2)[:, None, None].expand(9, 9, 9)
    bend = DistanceLattice(values.contiguous(), SIZE).bend.values
    assert torch.allclose(bend, torch.full_like(bend, 2 * 0.25**2 / 8))
    lattice = DistanceLattice(values.contiguous(), SIZE)
    between = lattice.at(torch.tensor([[0.125, 0.0, 0.0]]))
    assert torch.allclose(between - 0.125**2, torch.tensor([2 * 0.25**2 / 8]))


def test_a_tolerance_asks_more_and_keeps_what_it_promises():
    asked = []

    def geometry(points):
        asked.append(points.shape[1])
        return _wavy(points)

    true = _wavy(lattice_points(SIZE, 49, "cpu"))[:, 0].reshape(49, 49, 49)
    span, errors, counts = float(true.max() - true.min()), [], []
    for tolerance in (float("inf"), 0.01, 0.002):
        asked.clear()
        values = DistanceLattice.of(geometry, SIZE, 49, tolerance=tolerance).values
        errors.append(float((values - true).abs().max()) / span)
        counts.append(sum(asked))
    assert counts == sorted(counts)
    assert counts[0] < counts[1] < counts[2]
    assert errors[2] < 0.002
    assert errors[1] < 0.01
    assert errors[0] > errors[2]
