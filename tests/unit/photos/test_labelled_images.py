"""A folder of aligned pictures, their cameras and their optional confidence maps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.camera import random_views
from triptych.errors import UserError
from triptych.photos.labelled_images import LabelledImages
from triptych.photos.mirror_uncertainty import mirrored_and_upsampled

CAMERA = random_views(2, (-0.5, 0.5), (-0.3, 0.3), torch.Generator().manual_seed(0))


@pytest.fixture
def folder(tmp_path):
    labels = CAMERA.label25().tolist()
    names = ["00000/a.png", "00000/b.jpeg"]
    (tmp_path / "00000").mkdir()
    for grey, name in zip((0, 255), names, strict=True):
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(tmp_path / name)
    rows = [[name, label] for name, label in zip(names, labels, strict=True)]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": rows}))
    return tmp_path


def test_pictures_come_with_their_cameras(folder):
    images = LabelledImages(folder)
    assert len(images) == 2
    assert images.names == ("00000/a.png", "00000/b.jpeg")
    torch.testing.assert_close(images.camera.label25(), CAMERA.label25())
    assert float(images.image(0).max()) == -1.0
    assert float(images.image(1).min()) == pytest.approx(1.0, abs=0.02)
    assert images.image(0).shape == (3, 8, 8)


def test_confidence_maps_are_optional_mirrored_and_enlarged(folder):
    images = LabelledImages(folder)
    assert images.mirror_uncertainty_map(1, 8) is None
    (folder / "conf_map").mkdir()
    uncertainty = np.arange(16, dtype=np.float32).reshape(4, 4)
    # ".jpeg" is a suffix as well: the published loader cuts four characters off every name.
    np.save(folder / "conf_map" / "b.npy", uncertainty)
    assert images.mirror_uncertainty_map(1, 4).tolist() == uncertainty[:, ::-1].tolist()
    upsampled = images.mirror_uncertainty_map(1, 8)
    assert upsampled.shape == (8, 8)
    assert float(upsampled[0, 0]) == pytest.approx(3.0, abs=1e-5)
    assert images.mirror_uncertainty_map(0, 8) is None


def test_a_map_is_enlarged_by_cubic_splines_as_published(shared):
    with np.load(shared / "fixtures" / "3dpsp_small" / "conf_map_load.npz") as numbers:
        made = mirrored_and_upsampled(numbers["in/conf"], 2 * len(numbers["in/conf"]))
        assert np.array_equal(made, numbers["out/zoomed_and_mirrored"])


def test_bad_maps_are_named(folder):
    images = LabelledImages(folder)
    (folder / "conf_map").mkdir()
    np.save(folder / "conf_map" / "a.npy", np.full((4, 4), -1.0))
    with pytest.raises(UserError, match="a.npy: expected finite numbers"):
        images.mirror_uncertainty_map(0, 8)
    (folder / "conf_map" / "b.npy").write_text("words")
    with pytest.raises(UserError, match="cannot read the confidence map"):
        images.mirror_uncertainty_map(1, 8)


def test_bad_pictures_are_named(folder):
    images = LabelledImages(folder)
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(folder / "00000" / "a.png")
    with pytest.raises(UserError, match="is 6 x 8; expected a square"):
        images.image(0)
    (folder / "00000" / "b.jpeg").write_text("words")
    with pytest.raises(UserError, match="b.jpeg is not a picture that can be read"):
        images.image(1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": None}, "holds no labels"),
        ([1], "holds no labels"),
        ({"labels": [["a.png", [1, 2]]]}, r"expected \[path, 25 numbers\]"),
        ({"labels": ["a.png"]}, r"expected \[path, 25 numbers\]"),
    ],
)
def test_bad_labels_are_named(tmp_path, content, message):
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        LabelledImages(tmp_path)
