"""The landmarks recipe: data from seeds, a step, its checks, its file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pretended_device import pretended_device

from triptych.avatars.assets.pack import load_assets
from triptych.avatars.geometry.landmarks import LANDMARKS, HeadLandmarks
from triptych.avatars.people.identity import identity_from_seed
from triptych.avatars.sets.shards import ShardPlan, ShardSet, write_shards
from triptych.camera import look_at_camera
from triptych.nn.head_pose_network import HeadPoseConfig, HeadPoseNetwork
from triptych.photos.detectors.face import Face
from triptych.training.landmarks import recipe as recipe_module
from triptych.training.landmarks.checks import draw_poses, pose_errors
from triptych.training.landmarks.landmark_shards import landmarks_of_shards
from triptych.training.landmarks.recipe import Options, build, export
from triptych.training.loop import Progress, TrainingResult
from triptych.weights import load_head_pose, read_header

SEED = 600


@pytest.fixture(scope="module")
def folders(makehuman_pack, tmp_path_factory):
    """Tiny shards: plain heads and heads in three looks."""
    root = tmp_path_factory.mktemp("shards")
    often = (("bronze", 1.0), ("elf", 1.0))
    for name, variants in (("plain", 1), ("variants", 3)):
        plan = ShardPlan(SEED, 2, num_views=2, num_variants=variants, size=48, style_weights=often)
        write_shards(root / name, plan, pack=makehuman_pack)
    return root


@pytest.fixture
def options(folders, monkeypatch, makehuman_pack):
    monkeypatch.setenv("TRIPTYCH_MAKEHUMAN", str(makehuman_pack))
    plain, variants = str(folders / "plain"), str(folders / "variants")
    return Options(
        shards=plain,
        variants=variants,
        test_shards=plain,
        test_variants=variants,
        cache=str(folders / "landmarks"),
        batch=6,
    )


def test_landmarks_are_rebuilt_from_seeds_and_kept(folders, makehuman_pack, tmp_path):
    shards = ShardSet(folders / "variants")
    found = landmarks_of_shards(shards, tmp_path, pack=makehuman_pack)
    assert found.shape == (2, 3, len(LANDMARKS), 3)
    assets = load_assets(makehuman_pack)
    expected = HeadLandmarks(assets).of(identity_from_seed(SEED, assets))
    assert found[0, 0] == pytest.approx(expected, abs=1e-6)
    variants = [str(variant) for variant in shards.get("variants", 0)]
    assert (found[0, variants.index("bronze")] == found[0, 0]).all()
    assert (found[0, variants.index("elf")] != found[0, 0]).any()
    (file,) = tmp_path.iterdir()
    np.save(file, found + 1)
    assert (landmarks_of_shards(shards, tmp_path, pack=makehuman_pack) == found + 1).all()


@pytest.mark.thorough
def test_a_step_a_sheet_and_a_file(options, tmp_path):
    recipe = build(options)
    loss, figures = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    assert set(figures) == {"landmarks", "anchor", "scale", "rotation", "presence"}
    loss.backward()
    assert all(p.grad is not None for p in recipe.network.parameters())
    network = recipe.network.eval()
    figures = recipe.evaluate({"network": network})
    assert 0 <= figures["found"] <= 1
    recipe.sheet({"network": network}, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").exists()
    file = tmp_path / "landmarks.safetensors"
    export(recipe, TrainingResult({"network": network}, 3, {"found": 1.0}), file)
    assert read_header(file).provenance["heads"] == 4
    again = load_head_pose(file)
    assert again.config == network.config
    image = torch.rand(1, 3, 96, 96)
    torch.testing.assert_close(again(image).landmarks, network(image).landmarks, atol=2e-2, rtol=0)
    assert recipe_module.LOOP.minutes is None


def test_training_starts_from_given_weights(options, tmp_path):
    from dataclasses import replace

    from triptych.weights import save_module

    first = build(options).network
    save_module(tmp_path / "start.safetensors", first)
    second = build(replace(options, start_from=str(tmp_path / "start.safetensors"))).network
    torch.testing.assert_close(second.answers.weight, first.answers.weight)
    assert second.training
    assert all(p.requires_grad for p in second.parameters())


def test_pose_errors_by_hand():
    camera = look_at_camera(0.2, 0.0)
    truth = camera.cam2world[0].double().numpy()
    other = look_at_camera(0.3, 0.0).cam2world[0].double().numpy()
    face = Face(
        landmarks=np.zeros((5, 2)),
        five=np.zeros((5, 2)),
        anchor=np.array([50.0, 60.0]),
        unit=2 * 4.2647 * 100 / float(np.linalg.norm(truth[:3, 3] - [0, 0, 0.2])),
        rotation=other[:3, :3].T,
        detector="",
        score=1.0,
        pairs=np.arange(5),
        is_photograph=False,
    )
    rotation, place, size, landmarks = pose_errors(face, truth, None, 100)
    # the target is nearer than the origin, so directions turn faster than positions
    assert rotation == pytest.approx(np.degrees(0.1), rel=0.1)
    assert place == pytest.approx(0.1)
    assert size == pytest.approx(np.log(2), abs=1e-6)
    assert landmarks == 0.0


def test_poses_are_drawn_over_windows():
    network = HeadPoseNetwork(HeadPoseConfig(landmarks=("a", "b"), mirrored=(0, 1))).eval()
    window = torch.zeros(2, 3, 96, 96)
    with torch.no_grad():
        drawn = draw_poses(window, network(window))
    assert drawn.shape == window.shape
    assert (drawn != drawn[:, :, :1, :1]).any()


@pytest.mark.slow
def test_it_trains_on_another_device(options, tmp_path):
    with pretended_device() as device:
        recipe = build(replace(options, device=str(device)))
        loss, _ = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
        assert loss.device == device
        loss.backward()
        network = recipe.network.eval()
        assert 0 <= recipe.evaluate({"network": network})["found"] <= 1
        recipe.sheet({"network": network}, tmp_path / "sheet.png")
