"""Targets from each source, and what is known of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from psp_training import write_own_shards

from triptych.avatars.sets.shards import ShardSet
from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.photos.labelled_images import LabelledImages
from triptych.systems.invert.training.targets import (
    AvatarTargets,
    MixedTargets,
    OwnTargets,
    PhotoTargets,
    Target,
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory, toy_generator) -> ShardSet:
    folder = tmp_path_factory.mktemp("targets") / "shards"
    return ShardSet(write_own_shards(folder, toy_generator, 100_000, 2))


def shown(generator, ws, camera):
    return generator.synthesis(ws[None], camera).image[0].clamp(-1, 1)


def test_avatars_come_with_their_codes_and_another_view(shards, toy_generator):
    target = AvatarTargets(shards, toy_generator, "true").target(1, 0, 2)
    # These shards hold the generator's own pictures, so the codes must give them back.
    for image, camera in ((target.image, target.camera), (target.second, target.second_camera)):
        pred = shown(toy_generator, target.ws, camera)
        assert float((pred - image).abs().mean()) < 0.01
    assert np.array_equal(target.camera.cam2world[0].numpy(), shards.get("cam2world", 1)[0])
    assert target.alpha.shape == (1, 32, 32)


def test_second_view_can_be_the_mirror_image(shards, toy_generator):
    target = AvatarTargets(shards, toy_generator, "mirrored").target(0, 1, 2)
    assert torch.equal(target.second, target.image.flip(-1))
    assert float(target.second_camera.yaw) == pytest.approx(-float(target.camera.yaw), abs=1e-5)


def test_random_avatars_are_views_of_one_head(shards, toy_generator):
    source = AvatarTargets(shards, toy_generator, "true")
    for seed in range(6):
        target = source.draw(np.random.default_rng(seed))
        pred = shown(toy_generator, target.ws, target.second_camera)
        assert float((pred - target.second).abs().mean()) < 0.01
        assert not torch.equal(target.camera.cam2world, target.second_camera.cam2world)


def test_shards_of_other_attributes_are_refused(made_up_shards, toy_generator):
    shards = ShardSet(made_up_shards(100_000))
    with pytest.raises(UserError, match="hold 4 attributes"):
        AvatarTargets(shards, toy_generator, "true")


@pytest.mark.parametrize("second_view", ["true", "mirrored"])
def test_own_heads_are_kept_once_rendered(toy_generator, second_view):
    source = OwnTargets(toy_generator, second_view, 1, 0.5, 0.3)
    first, again = (source.draw(np.random.default_rng(seed)) for seed in (0, 1))
    assert first is again
    pred = shown(toy_generator, first.ws, first.camera)
    assert float((pred - first.image).abs().mean()) < 0.01
    if second_view == "mirrored":
        assert torch.equal(first.second, first.image.flip(-1))
    else:
        pred = shown(toy_generator, first.ws, first.second_camera)
        assert float((pred - first.second).abs().mean()) < 0.01


def test_photos_have_their_mirror_image_and_perhaps_doubt(tmp_path):
    camera = look_at_camera(0.3, 0.1)
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    rows = [["a.png", camera.label25()[0].tolist()]]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": rows}))
    source = PhotoTargets(LabelledImages(tmp_path), 32)
    target = source.draw(np.random.default_rng(0))
    assert target.image.shape == (3, 32, 32)
    assert torch.equal(target.second, target.image.flip(-1))
    torch.testing.assert_close(target.second_camera.cam2world, camera.mirrored().cam2world)
    assert target.ws is None
    assert target.uncertainty is None
    (tmp_path / "conf_map").mkdir()
    np.save(tmp_path / "conf_map" / "a.npy", np.full((16, 16), 2.0, np.float32))
    uncertainty = source.draw(np.random.default_rng(0)).uncertainty
    torch.testing.assert_close(uncertainty, torch.full((32, 32), 2.0))


class Plain:
    """A source of pictures of one grey."""

    def __init__(self, grey: float) -> None:
        self.grey = grey

    def draw(self, rng):
        rng.random()
        image, camera = torch.full((3, 16, 16), self.grey), look_at_camera(0.0, 0.0)
        return Target(image, camera, image, camera, alpha=torch.zeros(1, 16, 16))


def test_sources_are_mixed_by_their_shares():
    mixed = MixedTargets(
        [(Plain(0.0), 3.0), (Plain(1.0), 1.0)], domain_randomisation=0.0, background=0.5
    )
    greys = [float(mixed.target_of(seed).image[0, 0, 0]) for seed in range(200)]
    assert 0.15 < sum(greys) / 200 < 0.35
    assert greys[7] == float(mixed.target_of(7).image[0, 0, 0])


def test_some_targets_are_disguised_for_the_encoder_only():
    mixed = MixedTargets([(Plain(0.5), 1.0)], domain_randomisation=0.5, background=0.5)
    targets = [mixed.target_of(seed) for seed in range(60)]
    hidden = [target for target in targets if target.seen is not None]
    assert 15 < len(hidden) < 45
    assert all(bool((target.image == 0.5).all()) for target in targets)
    assert all(not torch.equal(target.seen, target.image) for target in hidden)
    again = mixed.target_of(targets.index(hidden[0]))
    assert torch.equal(again.seen, hidden[0].seen)
