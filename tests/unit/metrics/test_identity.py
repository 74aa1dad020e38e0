"""ArcFace's crop and what is compared."""

from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.metrics.identity import ArcFaceIdentity, identity_similarity
from triptych.nn.arcface import ArcFace

NARROW = {"widths": (4, 4, 4, 4), "units": (1, 1, 1, 1), "features": 8}


@pytest.fixture(scope="module")
def identity() -> ArcFaceIdentity:
    torch.manual_seed(0)
    return ArcFaceIdentity(ArcFace(**NARROW))


@pytest.mark.parametrize(
    ("size", "top", "bottom", "left", "right"),
    [(512, 70, 446, 64, 440), (256, 35, 223, 32, 220)],
)
def test_crop_is_that_of_3dpsp_and_of_psp(identity, size, top, bottom, left, right):
    # Rows and columns by number: the mean over the crop is the middle of the cut.
    rows = torch.arange(size).float().view(1, 1, -1, 1).expand(1, 3, size, size)
    columns = rows.transpose(2, 3)
    assert float(identity.crop(rows).mean()) == pytest.approx((top + bottom - 1) / 2, abs=1e-3)
    assert float(identity.crop(columns).mean()) == pytest.approx((left + right - 1) / 2, abs=1e-3)
    assert identity.crop(rows).shape == (1, 3, 112, 112)


def test_similarity_of_a_picture_with_itself_is_one(identity):
    image = torch.rand(2, 3, 128, 128)
    similarity = identity_similarity(identity, image, image)
    torch.testing.assert_close(similarity, torch.ones(2))
    assert float(identity_similarity(identity, image, image.flip(-1))[0]) < 1


def test_pictures_must_be_square(identity):
    with pytest.raises(UserError, match="square"):
        identity.embed(torch.rand(1, 3, 64, 32))
