"""3DpSp's losses with distances that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from triptych.ops.view_pair import ViewPair
from triptych.systems.invert.losses import (
    InversionWeights,
    inversion_loss,
    trusted_square_error,
)


class MeanColour:
    """Two images are as far apart as their mean values; a person is a direction of colour."""

    def __call__(self, first, second):
        return (first - second).mean(dim=(1, 2, 3)).abs()

    def embed(self, image):
        return functional.normalize(image.mean(dim=(2, 3)), dim=1)


def plain(value: float):
    return torch.full((2, 3, 4, 4), value)


FIRST = ViewPair(plain(0.5), plain(0.0))
SECOND = ViewPair(plain(0.3), plain(-0.1))
JUDGE = MeanColour()
PUBLISHED = InversionWeights()


def terms_of(weights: InversionWeights = PUBLISHED, **changes):
    arguments = {"second": SECOND, "identity": None, **changes}
    return inversion_loss(FIRST, perceptual=JUDGE, weights=weights, **arguments)


def test_terms_and_their_published_weights():
    loss, terms = terms_of()
    values = {name: float(term) for name, term in terms.items()}
    assert values == {
        "l2": pytest.approx(0.25),
        "perceptual": pytest.approx(0.5),
        "second_l2": pytest.approx(0.16),
        "second_perceptual": pytest.approx(0.4),
    }
    assert float(loss) == pytest.approx(0.25 + 0.5 * 0.5 + 0.16 + 0.5 * 0.4)


@pytest.mark.parametrize(("pairing", "distance"), [("published", 0.6), ("corrected", 0.4)])
def test_mirrored_distance_pairs_the_wrong_view_as_published_or_the_right_one(pairing, distance):
    _, terms = terms_of(replace(InversionWeights(), mirrored_pairing=pairing))
    assert float(terms["second_perceptual"]) == pytest.approx(distance)


def test_identity_is_one_minus_the_cosine():
    pred = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    true = torch.tensor([0.6, 0.8, 0.0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    loss, terms = inversion_loss(
        ViewPair(pred, true), None, JUDGE, JUDGE, InversionWeights(l2=0.0, perceptual=0.0)
    )
    assert float(terms["identity"]) == pytest.approx(0.4)
    assert float(loss) == pytest.approx(0.4 * 0.4)


def test_parts_of_heads_have_no_identity():
    part = replace(FIRST, whole=False)
    _, terms = inversion_loss(part, SECOND, JUDGE, JUDGE, InversionWeights())
    assert "identity" not in terms
    assert "second_identity" in terms


def test_terms_of_weight_zero_and_of_no_second_view_are_left_out():
    weights = InversionWeights(perceptual=0.0, second_perceptual=0.0, second_identity=0.0)
    _, terms = inversion_loss(FIRST, SECOND, JUDGE, JUDGE, weights)
    assert set(terms) == {"l2", "identity", "second_l2"}
    _, terms = inversion_loss(FIRST, None, JUDGE, None, InversionWeights())
    assert set(terms) == {"l2", "perceptual"}


def test_doubt_divides_the_error_where_it_is():
    pred, true = torch.zeros(1, 2, 1, 2), torch.tensor([[[[1.0, 1.0]], [[3.0, 1.0]]]])
    # Mean over channels: 5 and 1; doubts 1 and 0.
    uncertainty = torch.tensor([[[1.0, 0.0]]])
    assert float(trusted_square_error(pred, true, uncertainty)) == pytest.approx((5 / 2 + 1) / 2)
    assert float(trusted_square_error(pred, true)) == pytest.approx(3.0)
    none = trusted_square_error(pred, true, torch.zeros(1, 1, 2))
    assert float(none) == pytest.approx(3.0)
    loss, terms = inversion_loss(
        FIRST, SECOND, JUDGE, None, InversionWeights(), uncertainty=torch.ones(2, 4, 4)
    )
    assert float(terms["second_l2"]) == pytest.approx(0.08)
    assert float(terms["l2"]) == pytest.approx(0.25)
    assert float(loss) == pytest.approx(0.25 + 0.25 + 0.08 + 0.2)
