"""Styles change a head strongly, each in its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.avatars.assets.pack import load_assets
from triptych.avatars.builder import AvatarBuilder
from triptych.avatars.people.appearance import MaterialAppearance, appearance_from_attributes
from triptych.avatars.people.identity import EYE_SCALE_BIAS, identity_from_seed
from triptych.avatars.shading.shade_params import shade_params
from triptych.avatars.styles.catalogue import (
    STYLES,
    can_combine,
    combinations,
    combine,
    style_named,
)
from triptych.avatars.styles.filters import FILTERS
from triptych.camera import look_at_camera
from triptych.errors import UserError

SEEDS = (20,)  # a grown man with short light brown hair and no beard
SIZE = 64
CAMERA = look_at_camera(0.3, 0.05).cam2world[0].numpy()
FRONT = look_at_camera(0.0, 0.0).cam2world[0].numpy()
# Mean absolute change of the head, of 255 grey levels; people styles may touch a small part only.
LEAST_CHANGE = {"material": 25.0, "creature": 15.0, "people": 3.0, "picture": 10.0}
LEAST_DIFFERENCE = 3.5


@pytest.fixture(scope="module")
def builder(makehuman_pack) -> AvatarBuilder:
    return AvatarBuilder(load_assets(makehuman_pack))


@pytest.fixture(scope="module")
def heads(builder):
    return [identity_from_seed(seed, builder.assets) for seed in SEEDS]


@pytest.fixture(scope="module")
def views(builder, heads) -> dict[str, list]:
    """One view of the head in the original and in every style."""
    styles = {"original": None, **STYLES}
    return {
        name: [builder.build(head, style).render(CAMERA, SIZE) for head in heads]
        for name, style in styles.items()
    }


def _distance(first, second) -> float:
    """Mean absolute difference of the heads, over where either is."""
    covered = (first.alpha > 0) | (second.alpha > 0)
    difference = np.abs(first.rgb.astype(float) - second.rgb.astype(float))
    return float(difference[covered].mean())


def test_there_are_enough_styles_of_every_kind():
    kinds = [style.kind for style in STYLES.values()]
    assert len(STYLES) >= 36
    assert {kind: kinds.count(kind) >= 9 for kind in set(kinds)} == dict.fromkeys(
        ("material", "creature", "people", "picture"), True
    )
    assert all(name == style.name for name, style in STYLES.items())


def test_filters_are_those_that_exist():
    used = {style.picture_filter for style in STYLES.values() if style.picture_filter}
    assert used == set(FILTERS)
    assert all(
        (style.picture_filter is not None) == (style.kind == "picture") for style in STYLES.values()
    )


@pytest.mark.parametrize("name", STYLES)
def test_style_changes_the_picture(views, name):
    changes = [_distance(*pair) for pair in zip(views["original"], views[name], strict=True)]
    assert max(changes) > LEAST_CHANGE[STYLES[name].kind], changes


def test_every_style_differs_from_every_other(views):
    names = list(STYLES)
    too_close = {}
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            differences = [
                _distance(*pair) for pair in zip(views[first], views[second], strict=True)
            ]
            if max(differences) < LEAST_DIFFERENCE:
                too_close[first, second] = differences
    assert too_close == {}


def test_background_stays_plain(views):
    for name, pair in views.items():
        for view in pair:
            assert (view.rgb[view.alpha == 0] == 191).all(), name


@pytest.mark.parametrize("name", ["blue alien", "elf", "orc", "goblin", "demon", "child", "afro"])
def test_shape_changing_styles_move_the_outline(views, name):
    for before, after in zip(views["original"], views[name], strict=True):
        changed = np.abs(before.alpha - after.alpha).sum() / before.alpha.sum()
        assert changed > 0.03


@pytest.mark.parametrize(
    ("name", "channels"),
    [("red stone", (0,)), ("green stone", (1,)), ("blue stone", (2,)), ("gold", (0, 1))],
)
def test_colours_are_what_they_are_called(views, name, channels):
    others = [channel for channel in range(3) if channel not in channels]
    for view in views[name]:
        mean = view.rgb[view.alpha == 1].mean(0)
        assert min(mean[list(channels)]) > 1.5 * max(mean[others])


def test_horns_and_tusks_are_seen(builder, heads):
    bald = replace(heads[0], hair_style="bald")
    plain, horned, tusked, fanged = (
        builder.build(identity).render(FRONT, SIZE)
        for identity in (
            bald,
            replace(bald, horns=1.0),
            replace(bald, tusks=1.0),
            replace(bald, fangs=1.0),
        )
    )
    highest = [np.flatnonzero(view.alpha.max(1) > 0.5)[0] for view in (plain, horned)]
    assert highest[1] < highest[0] - 2
    for grown in (tusked, fanged):
        rows, columns = np.nonzero(np.abs(grown.rgb.astype(int) - plain.rgb).max(2) > 20)
        assert 4 <= len(rows) < 60
        assert abs(columns.mean() - (SIZE - 1) / 2) < 1.5  # one on each side
        assert (grown.regions[rows, columns] == 4).mean() > 0.5


def test_transforms_leave_the_person_in_place(heads):
    appearance = appearance_from_attributes(heads[0].attributes)
    old, old_look = STYLES["old"].transform(heads[0], appearance)
    assert heads[0].age < 0.99
    assert old.age == 1.0
    assert old_look.skin.wrinkles == 1.0
    assert old.attributes is heads[0].attributes
    assert old.details["nose/nose-hump"] == heads[0].details["nose/nose-hump"]


def test_detail_weights_are_added_not_replaced(heads):
    appearance = appearance_from_attributes(heads[0].attributes)
    child, _ = STYLES["child"].transform(heads[0], appearance)
    added = child.details["eyes/eye-scale"] - heads[0].details["eyes/eye-scale"]
    assert added == pytest.approx(0.75)
    assert heads[0].details["eyes/eye-scale"] != pytest.approx(EYE_SCALE_BIAS)


@pytest.mark.parametrize("name", STYLES)
def test_styles_only_use_controls_that_exist(builder, heads, name):
    appearance = appearance_from_attributes(heads[0].attributes)
    identity, _ = STYLES[name].transform(heads[0], appearance)
    assert set(identity.details) <= set(builder.assets.control_targets)
    units = {
        target.rpartition("/")[2] for target in builder.assets.targets if target.startswith("expr/")
    }
    assert set(identity.expressions) <= units


@pytest.mark.parametrize(
    "pattern", ["patina", "veins", "clouds", "rings", "speckles", "metallic", "glow"]
)
def test_every_material_pattern_shows_on_the_head(builder, heads, pattern):
    appearance = appearance_from_attributes(heads[0].attributes)
    plain = MaterialAppearance(rgb=(0.3, 0.3, 0.3), accent_rgb=(0.7, 0.1, 0.1), gloss=0.5)
    avatar = builder.build(heads[0])
    pictures = []
    for material in (plain, replace(plain, **{pattern: 0.9})):
        params = shade_params(replace(appearance, material=material), heads[0].beard)
        pictures.append(replace(avatar, appearance=params).render(FRONT, SIZE))
    assert _distance(*pictures) > 1.5


class TestCombinations:
    def test_order_of_the_names_does_not_matter(self, heads):
        appearance = appearance_from_attributes(heads[0].attributes)
        one = combine(STYLES["elf"], STYLES["old"]).transform(heads[0], appearance)
        other = combine(STYLES["old"], STYLES["elf"]).transform(heads[0], appearance)
        assert one == other

    def test_both_are_applied(self, heads):
        appearance = appearance_from_attributes(heads[0].attributes)
        identity, restyled = style_named("bronze+elf").transform(heads[0], appearance)
        assert identity.ear_shapes["pointed"] > 1.0
        assert (
            restyled.material.rgb
            == STYLES["bronze"].transform(heads[0], appearance)[1].material.rgb
        )

    def test_colour_and_material_keep_the_pattern_of_the_one_and_the_colour_of_the_other(
        self, heads
    ):
        appearance = appearance_from_attributes(heads[0].attributes)
        marble = STYLES["marble"].transform(heads[0], appearance)[1].material
        blue = STYLES["blue stone"].transform(heads[0], appearance)[1].material
        both = style_named("marble+blue stone").transform(heads[0], appearance)[1].material
        assert both.veins == marble.veins > 0.0
        assert both.rgb == blue.rgb != marble.rgb

    def test_a_picture_keeps_its_filter(self):
        style = style_named("vampire+pencil sketch")
        assert style.picture_filter == "pencil"
        assert style.kind == "picture"

    def test_the_listed_pairs_are_those_that_can_be_combined(self):
        pairs = set(combinations())
        for wanted in (("elf", "old"), ("bronze", "zombie"), ("vampire", "pencil sketch")):
            assert wanted in pairs or wanted[::-1] in pairs
        assert all(can_combine(STYLES[a], STYLES[b]) and a != b for a, b in pairs)

    @pytest.mark.parametrize(
        "name",
        ["elf+orc", "pencil sketch+oil painting", "bronze+gold", "gold+red stone", "elf+elf",
         "bronze+red hair", "pale+zombie", "red hair+blond hair", "sepia photo+gold"],
    )  # fmt: skip
    def test_senseless_pairs_are_refused(self, name):
        with pytest.raises(UserError, match="cannot be combined"):
            style_named(name)

    @pytest.mark.parametrize("name", ["unicorn", "elf+unicorn", "elf+old+bronze", ""])
    def test_unknown_names_are_refused(self, name):
        with pytest.raises(UserError, match="expected one or two"):
            style_named(name)
