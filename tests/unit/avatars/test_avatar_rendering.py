"""Finished avatars: determinism, regions, depth, cameras, closed busts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from triptych.avatars.avatar import FOCAL, project
from triptych.avatars.builder import AvatarBuilder
from triptych.avatars.geometry.morphs import morphed_base
from triptych.avatars.geometry.placement import EYE_HEIGHT, place
from triptych.avatars.people.appearance import Appearance, MaterialAppearance, linear_rgb, skin_rgb
from triptych.avatars.people.identity import Identity, identity_from_seed
from triptych.avatars.styles.catalogue import style_named
from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.models.attributes import HAIR_STYLES


def _camera(yaw: float = 0.0, pitch: float = 0.0, **options) -> np.ndarray:
    return look_at_camera(yaw, pitch, **options).cam2world[0].numpy()


@pytest.fixture(scope="module")
def avatar(avatar_builder):
    return avatar_builder.build(identity_from_seed(3, avatar_builder.assets))


@pytest.fixture(scope="module")
def front(avatar):
    return avatar.render(_camera(), size=96)


def test_a_seed_builds_and_renders_the_same_picture(head_assets, avatar, front):
    again = AvatarBuilder(head_assets).build(identity_from_seed(3, head_assets))
    assert again.positions is not avatar.positions
    np.testing.assert_array_equal(again.positions, avatar.positions)
    image = again.render(_camera(), size=96)
    for name in ("rgb", "alpha", "depth", "regions"):
        np.testing.assert_array_equal(getattr(image, name), getattr(front, name))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "shape_of"),
    [("gold", "statue"), ("pale", "before"), ("pencil sketch", "before"), ("beard", None)],
)
def test_a_kept_head_is_painted_as_a_new_one(head_assets, name, shape_of):
    identity, style = identity_from_seed(2, head_assets), style_named(name)
    keeping = AvatarBuilder(head_assets, cached_heads=2)
    heads = {
        "before": keeping.build(identity),
        "statue": keeping.build(identity, style_named("bronze")),
    }
    kept = keeping.build(identity, style)
    assert [of for of, head in heads.items() if head.positions is kept.positions] == (
        [shape_of] if shape_of else []
    )
    new = AvatarBuilder(head_assets, cached_heads=0).build(identity, style)
    for field in ("rgb", "alpha", "depth", "regions"):
        expected = getattr(new.render(_camera(), size=64), field)
        np.testing.assert_array_equal(getattr(kept.render(_camera(), size=64), field), expected)


def test_different_seeds_look_different(avatar_builder, front):
    other = avatar_builder.build(identity_from_seed(4, avatar_builder.assets))
    difference = other.render(_camera(), size=96).rgb.astype(float) - front.rgb
    assert np.abs(difference).mean() > 10


def test_the_picture_is_a_head_over_grey(front):
    assert front.rgb.shape == (96, 96, 3)
    assert front.rgb.dtype == np.uint8
    corner = front.rgb[0, 0]
    np.testing.assert_array_equal(corner, [191, 191, 191])
    assert (front.rgb[front.alpha == 0] == 191).all()
    assert front.alpha[48, 48] == 1.0
    assert 0.3 < front.alpha.mean() < 0.85


def test_all_regions_are_present(avatar_builder):
    identity = replace(
        identity_from_seed(3, avatar_builder.assets), hair_style="crop", beard=0.0, mouth_open=0.3
    )
    regions = avatar_builder.build(identity).render(_camera(), size=128).regions
    np.testing.assert_array_equal(np.unique(regions), np.arange(9))
    rows = {region: np.argwhere(regions == region)[:, 0].mean() for region in range(1, 9)}
    brow, eye, nose, mouth, body = (rows[region] for region in (3, 2, 5, 4, 8))
    assert rows[7] < brow < eye < nose < mouth < body


def test_depth_is_where_a_head_is_and_agrees_with_alpha(avatar):
    for yaw, pitch in ((0.0, 0.0), (0.6, 0.2), (-0.6, -0.3)):
        image = avatar.render(_camera(yaw, pitch), size=64)
        covered = image.alpha > 0
        np.testing.assert_array_equal(covered, image.depth > 0)
        np.testing.assert_array_equal(image.regions[image.alpha == 0], 0)
        assert image.depth[covered].min() > 2.2
        assert image.depth[covered].max() < 3.3


def test_everything_lies_in_the_unit_box(avatar_builder):
    for seed in (0, 11):
        avatar = avatar_builder.build(identity_from_seed(seed, avatar_builder.assets))
        used = avatar.positions[np.unique(avatar.triangles)]
        assert np.abs(used).max() <= 0.5
        assert np.isfinite(avatar.irradiance).all()


def test_eyes_are_at_the_fixed_place(avatar_builder):
    assets = avatar_builder.assets
    lips = avatar_builder._template.lip_ids
    for seed in (1, 2):
        base = morphed_base(identity_from_seed(seed, assets), assets)
        placement = place(base, assets, lips)
        middle = placement.to_world(placement.eye_middle)
        assert middle[1] == pytest.approx(EYE_HEIGHT)
        assert middle[2] == pytest.approx(0.15 + 0.02 * placement.scale)


def test_projection_agrees_with_the_camera_convention():
    camera = look_at_camera(0.4, -0.2)
    points = np.array([[0.1, -0.2, 0.15], [0.0, 0.0, 0.2]], np.float32)
    x, y, inverse_depth = project(points, camera.cam2world[0].numpy().astype(float), 128)
    world2cam = np.linalg.inv(camera.cam2world[0].numpy())
    seen = points @ world2cam[:3, :3].T + world2cam[:3, 3]
    pixel = (seen @ camera.intrinsics[0].numpy().T) / seen[:, 2:]
    np.testing.assert_allclose(np.stack([x, y], axis=1) / 128, pixel[:, :2], atol=1e-4)
    np.testing.assert_allclose(1.0 / inverse_depth, seen[:, 2], atol=1e-5)
    # The look-at target is the middle of the picture at the camera's distance.
    assert (x[1], y[1]) == pytest.approx((64.0, 64.0), abs=1e-2)
    assert 1.0 / inverse_depth[1] == pytest.approx(2.7, abs=0.2)
    assert pytest.approx(float(camera.intrinsics[0, 0, 0]), abs=1e-4) == FOCAL


def test_positive_yaw_shows_the_side_of_positive_x(avatar):
    # Only the ear of the near side is seen, and it lies on that side of the picture.
    for yaw, near, far in ((0.5, slice(48, 96), slice(0, 48)), (-0.5, slice(0, 48), slice(48, 96))):
        ears = avatar.render(_camera(yaw), size=96).regions == 6
        assert ears[:, near].sum() > 20
        assert ears[:, far].sum() == 0


def test_the_bust_is_closed_below(avatar_builder):
    identity = identity_from_seed(1, avatar_builder.assets)
    for garment in (identity.garment, None):
        avatar = avatar_builder.build(replace(identity, garment=garment))
        below = _camera(0.0, -0.6, radius=4.2, target=(0.0, -0.2, 0.0))
        image = avatar.render(below, size=96, supersampling=1)
        x, y, _ = project(
            np.array(
                [[0.0, -0.4849, 0.0], [0.2, -0.4849, 0.0], [-0.3, -0.4849, -0.02]], np.float32
            ),
            below.astype(float),
            96,
        )
        for column, row in zip(x, y, strict=True):
            assert image.alpha[int(row), int(column)] == 1.0
            assert image.regions[int(row), int(column)] == 8
        # The floor is seen at its own height, not the back wall through a hole.
        seen = image.depth[int(y[0]), int(x[0])]
        expected = ((np.array([0.0, -0.4849, 0.0]) - below[:3, 3]) @ below[:3, :3])[2]
        assert seen == pytest.approx(expected, abs=0.02)


def test_hair_covers_the_head_and_not_the_eyes(avatar_builder):
    _check_hair(avatar_builder, ("bald", "buzz", "crop", "bob02", "long01"))


@pytest.mark.slow
def test_every_hair_style_covers_the_head_and_not_the_eyes(avatar_builder):
    _check_hair(avatar_builder, HAIR_STYLES)


def _check_hair(avatar_builder, styles):
    identity = identity_from_seed(12, avatar_builder.assets)
    hair = {}
    for style in styles:
        image = avatar_builder.build(replace(identity, hair_style=style)).render(_camera(), 64)
        hair[style] = (image.regions == 7).mean()
        eyes = image.regions == 2
        assert eyes[:, :32].any(), f"{style} hides an eye"
        assert eyes[:, 32:].any(), f"{style} hides an eye"
    assert hair["bald"] == 0.0
    assert hair["buzz"] > 0.01
    assert hair["long01"] > hair["crop"]


@dataclass(frozen=True)
class _Statue:
    picture_filter: str | None = None

    def transform(self, identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
        material = MaterialAppearance(rgb=(0.5, 0.5, 0.5), cavity=0.0, gloss=0.0)
        return identity, replace(appearance, material=material)


def test_a_grey_statue_has_no_colour(avatar_builder):
    identity = identity_from_seed(3, avatar_builder.assets)
    image = avatar_builder.build(identity, style=_Statue()).render(_camera(), size=64)
    inside = image.rgb[image.alpha == 1].astype(int)
    plain = avatar_builder.build(identity).render(_camera(), size=64)
    coloured = plain.rgb[plain.alpha == 1].astype(int)
    assert np.ptp(inside, axis=1).mean() < 12
    assert np.ptp(coloured, axis=1).mean() > 25
    np.testing.assert_array_equal(image.alpha, plain.alpha)


def test_a_look_changes_colours_but_not_shape(avatar_builder, avatar, front):
    identity = identity_from_seed(3, avatar_builder.assets)
    from triptych.avatars.people.appearance import appearance_from_attributes

    appearance = appearance_from_attributes(identity.attributes)
    green = replace(appearance, skin=replace(appearance.skin, rgb=(0.05, 0.4, 0.05)))
    image = avatar_builder.build(identity, appearance=green).render(_camera(), size=96)
    face = image.regions == 1
    red, green_channel, _ = image.rgb[face].astype(float).mean(axis=0)
    assert green_channel > red + 40
    np.testing.assert_array_equal(image.depth, front.depth)


def test_colours_turn_linear():
    assert linear_rgb(255, 0, 188) == pytest.approx((1.0, 0.0, 0.5029), abs=1e-3)
    lightness = [sum(skin_rgb(tone)) for tone in np.linspace(0, 9, 19)]
    assert all(np.diff(lightness) < 0)


def test_bad_cameras_and_sizes_are_refused(avatar):
    with pytest.raises(UserError, match="cam2world"):
        avatar.render(np.eye(3))
    with pytest.raises(UserError, match="inside the head"):
        avatar.render(np.eye(4))
    with pytest.raises(UserError, match="size"):
        avatar.render(_camera(), size=4)
    with pytest.raises(UserError, match="supersampling"):
        avatar.render(_camera(), supersampling=9)
