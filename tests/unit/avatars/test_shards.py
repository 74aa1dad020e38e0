"""Shards of rendered heads: what is drawn, what is written, what is read back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.avatars.sets.shards import (
    ORIGINAL,
    ShardPlan,
    ShardSet,
    default_style_weights,
    draw_variants,
    random_cameras,
    write_shards,
)
from triptych.avatars.styles.catalogue import STYLES, style_named
from triptych.errors import UserError
from triptych.models.attributes import attribute_vector_from_seed

SMALL = ShardPlan(100_000, 2, num_views=2, num_variants=2, size=24, supersampling=1)


@pytest.fixture(scope="module")
def folder(makehuman_pack, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards")
    write_shards(out, SMALL, pack=makehuman_pack)
    return out


def test_arrays_have_the_promised_shapes(folder):
    shards = ShardSet(folder)
    assert (len(shards), shards.num_views, shards.size) == (2, 2, 24)
    assert shards.get("rgb", 0).shape == (2, 2, 24, 24, 3)
    for name in ("alpha", "depth", "regions"):
        assert shards.get(name, 1).shape == (2, 24, 24)
    assert shards.get("variants", 0)[0] == ORIGINAL


def test_heads_are_those_of_their_seeds(folder):
    shards = ShardSet(folder)
    for head, seed in enumerate(shards.all("seeds")):
        assert np.array_equal(shards.get("attributes", head), attribute_vector_from_seed(int(seed)))


def test_depth_is_known_exactly_where_something_is_seen(folder):
    shards = ShardSet(folder)
    depth, alpha = shards.get("depth", 0), shards.get("alpha", 0)
    assert ((depth > 0) == (alpha > 0)).all()


def test_finished_shards_are_kept(folder, makehuman_pack):
    file = next(folder.glob("shard_*")) / "rgb.npy"
    before = file.stat().st_mtime_ns
    write_shards(folder, SMALL, pack=makehuman_pack)
    assert file.stat().st_mtime_ns == before


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(UserError, match="triptych data shards"):
        ShardSet(tmp_path)


def test_first_camera_is_nearly_frontal_and_all_stay_in_range():
    plan = replace(SMALL, num_views=30)
    cameras = random_cameras(plan, np.random.default_rng(0))
    x, y, z = cameras[:, :3, 3].T
    assert np.hypot(x, np.hypot(y, z)) == pytest.approx(np.full(30, 2.7), abs=1e-5)
    assert abs(np.arctan2(x[0], z[0])) <= 0.15
    assert y[0] == pytest.approx(0, abs=1e-6)
    assert (np.abs(np.arctan2(x, z)) <= plan.yaw_range + 1e-6).all()


def test_looks_differ_and_follow_the_weights():
    plan = replace(SMALL, num_variants=3, style_weights=(("elf", 1.0), ("gold", 1.0), ("orc", 0.0)))
    for seed in range(10):
        variants = draw_variants(plan, np.random.default_rng(seed))
        assert variants[0] == ORIGINAL
        assert sorted(variants[1:]) == ["elf", "gold"]


def test_default_weights_name_styles_that_must_be_rendered():
    names = [name for name, _ in default_style_weights()]
    assert len(names) == len(set(names))
    single = {name for name in names if "+" not in name}
    assert single == {n for n, s in STYLES.items() if s.kind != "picture"} | {"cartoon"}
    for pair in [name for name in names if "+" in name][::50]:
        assert style_named(pair).kind
