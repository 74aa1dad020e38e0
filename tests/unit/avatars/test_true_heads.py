"""The true heads of evaluations, built from the asset pack."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from triptych.avatars.sets.true_heads import AvatarHeads, unseen_cameras
from triptych.camera import Camera
from triptych.errors import UserError

GREY = 191 / 127.5 - 1


@pytest.fixture(scope="module")
def heads(makehuman_pack: Path) -> AvatarHeads:
    return AvatarHeads(makehuman_pack)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return unseen_cameras(4, 2)


def test_views_of_a_head(heads: AvatarHeads, camera: Camera) -> None:
    views = heads.views(4, None, camera, 64)
    assert views.image.shape == (2, 3, 64, 64)
    assert views.alpha.shape == (2, 1, 64, 64)
    assert views.regions.shape == (2, 64, 64)
    assert float(views.alpha.min()) == 0.0
    assert float(views.alpha.max()) == 1.0
    assert 0.3 < float((views.alpha > 0.5).float().mean()) < 0.8
    assert {1, 2, 4, 5, 8} <= set(views.regions.unique().tolist()) <= set(range(9))
    empty = (views.alpha == 0).expand_as(views.image)
    torch.testing.assert_close(
        views.image[empty], torch.full_like(views.image[empty], GREY), rtol=0, atol=1e-6
    )


def test_a_material_repaints_the_same_head(heads: AvatarHeads, camera: Camera) -> None:
    plain, red = heads.views(4, None, camera, 64), heads.views(4, "red stone", camera, 64)
    solid = (plain.alpha > 0.99) & (red.alpha > 0.99)
    assert float(((plain.alpha > 0.5) == (red.alpha > 0.5)).float().mean()) > 0.97
    red_over_green = (red.image[:, :1] - red.image[:, 1:2])[solid].mean()
    assert float(red_over_green) > float((plain.image[:, :1] - plain.image[:, 1:2])[solid].mean())


def test_seeds_are_different_heads_and_unknown_styles_are_refused(
    heads: AvatarHeads, camera: Camera
) -> None:
    assert not torch.equal(
        heads.views(1, None, camera[0], 64).image, heads.views(2, None, camera[0], 64).image
    )
    with pytest.raises(UserError, match="plasma"):
        heads.views(1, "plasma", camera[0], 64)
