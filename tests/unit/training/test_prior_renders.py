"""Shards whose plain looks are a generator's pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_portraits import tiny_generator

from triptych.avatars.sets.shards import ShardSet, write_shard
from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.models.preview import preview_render
from triptych.training.prior_renders import write_prior_renders


def _heads(folder, generator, size, num_attributes=None):
    rng = np.random.default_rng(3)
    cameras = np.stack([look_at_camera(yaw, 0.0).cam2world[0].numpy() for yaw in (0.0, 0.4)])
    shape = (2, size, size)
    heads = [
        {
            "seeds": np.int64(seed),
            "attributes": rng.standard_normal(num_attributes or generator.config.z_dim).astype(
                "f4"
            ),
            "cam2world": cameras,
            "variants": np.array(["original", "bronze"], dtype="<U48"),
            "rgb": rng.integers(0, 256, (2, *shape, 3), dtype=np.uint8),
            "alpha": np.zeros(shape, np.uint8),
            "depth": np.ones(shape, np.float16),
            "regions": np.ones(shape, np.uint8),
        }
        for seed in (11, 12)
    ]
    folder.mkdir()
    write_shard(folder / "shard_0000011", heads)
    return ShardSet(folder)


def test_only_the_plain_look_is_the_generators(tmp_path):
    generator = tiny_generator()
    before = _heads(tmp_path / "before", generator, generator.config.image_size)
    told = []
    write_prior_renders(generator, before, tmp_path / "after", progress=lambda *n: told.append(n))
    after = ShardSet(tmp_path / "after")
    assert told == [(2, 2)]
    for head in range(2):
        old, new = before.head(head), after.head(head)
        assert (new["rgb"][1] == old["rgb"][1]).all()
        for name in ("seeds", "attributes", "cam2world", "variants", "depth", "regions"):
            assert (new[name] == old[name]).all()
        ws = generator.mapping(torch.from_numpy(old["attributes"])[None])
        side = look_at_camera(0.4, 0.0)
        seen = preview_render(generator, ws, side)
        pixels = (seen.image[0].permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255)
        assert np.abs(new["rgb"][0, 1] - pixels.numpy()).max() <= 1
        opacity = seen.alpha[0, 0].numpy() * 255
        assert np.abs(new["alpha"][1] - opacity).max() <= 1
    assert (after.head(0)["rgb"][0] != after.head(1)["rgb"][0]).any()


def test_a_cut_run_keeps_finished_shards(tmp_path):
    generator = tiny_generator()
    before = _heads(tmp_path / "before", generator, generator.config.image_size)
    write_prior_renders(generator, before, tmp_path / "after")
    picture = tmp_path / "after" / "shard_0000011" / "rgb.npy"
    written = picture.stat().st_mtime_ns
    write_prior_renders(generator, before, tmp_path / "after")
    assert picture.stat().st_mtime_ns == written


@pytest.mark.parametrize(("attributes", "pixels"), [(3, None), (None, 8)])
def test_generators_of_other_heads_are_refused(tmp_path, attributes, pixels):
    generator = tiny_generator()
    size = pixels or generator.config.image_size
    shards = _heads(tmp_path / "before", generator, size, attributes)
    with pytest.raises(UserError, match="the generator (takes|makes)"):
        write_prior_renders(generator, shards, tmp_path / "after")
    assert not (tmp_path / "after").exists()
