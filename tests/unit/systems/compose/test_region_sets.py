"""Sets of pictures with masks: where masks are found, what is cropped, what is read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.errors import UserError
from triptych.systems.compose.data.class_maps import ClassMaps, numbering
from triptych.systems.compose.data.region_set import RegionSet
from triptych.systems.compose.data.writing import squared, write_region_set
from triptych.systems.compose.region_masks import MASK_CLASSES
from triptych.systems.compose.regions import AVATAR_ORDER, PUBLISHED_ORDER

HAIR, NOSE = MASK_CLASSES.index("hair"), MASK_CLASSES.index("nose")


@pytest.fixture
def photos(tmp_path):
    """Two pictures of 80 x 64 whose left half is red and hair, with a nose in the middle."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    pixels = np.zeros((64, 80, 3), np.uint8)
    pixels[:, :40, 0] = 255
    classes = np.zeros((64, 80), np.uint8)
    classes[:, :40] = HAIR
    classes[32, 41] = NOSE
    for name in ("7", "b"):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{name}.png")
    np.save(tmp_path / "masks" / "b.npy", classes)
    for part in ("hair", "nose"):
        whole = np.uint8(255) * (classes == MASK_CLASSES.index(part))
        Image.fromarray(whole).save(tmp_path / "masks" / f"00007_{part}.png")
    return tmp_path


def write(folder, **changes):
    numbers = changes.pop("numbers", numbering("celebamask"))
    settings = {"sizes": (64, 32), **changes}
    return write_region_set(
        folder / "photos", folder / "masks", folder / "set", numbers, **settings
    )


def test_a_set_holds_pictures_and_masks_of_all_sizes(photos):
    write(photos)
    found = RegionSet(photos / "set")
    assert (len(found), found.description.sizes) == (2, (64, 32))
    assert found.description.regions == PUBLISHED_ORDER
    for index in range(2):  # maps of one file and of a file per part are the same
        image, masks = found.get(index, 64)
        assert (image.shape, masks.shape) == ((3, 64, 64), (9, 64, 64))
        # The middle 64 columns: 8 to 72, of which 32 are red and hair.
        assert torch.equal(image[0] > 0, masks[PUBLISHED_ORDER.index("hair")] > 0)
        nose = masks[PUBLISHED_ORDER.index("nose")].nonzero().tolist()
        assert [nose[0], nose[-1], len(nose)] == [[31, 32], [33, 34], 9], "3 x 3 round (32, 33)"
    mirrored, masks = found.get(0, 32, mirrored=True)
    assert torch.equal(mirrored, found.get(0, 32)[0].flip(2))
    assert float(masks[PUBLISHED_ORDER.index("hair"), :, 16:].mean()) == 1


def test_the_same_request_changes_nothing_and_another_is_refused(photos):
    write(photos)
    before = {path: path.read_bytes() for path in sorted((photos / "set").rglob("*.png"))}
    write(photos)
    assert before == {path: path.read_bytes() for path in sorted((photos / "set").rglob("*.png"))}
    with pytest.raises(UserError, match="another set of regions"):
        write(photos, sizes=(32,))
    write(photos, sizes=(32,), overwrite=True)
    assert not (photos / "set" / "images_64").exists()
    with pytest.raises(UserError, match="has pictures of 32 pixels; expected 64"):
        RegionSet(photos / "set").check_size(64)


def test_numbers_of_other_parsers_and_of_avatars(photos, tmp_path):
    table = tmp_path / "ids.json"
    table.write_text(json.dumps({"0": 0, str(HAIR): NOSE, str(NOSE): HAIR}))
    maps = ClassMaps(photos / "masks", numbering(str(table)), photos / "photos")
    assert set(np.unique(maps.of(photos / "photos" / "b.png")[:, :40])) == {NOSE}
    assert numbering("bisenet").ids[17] == HAIR
    assert numbering("avatar").regions == AVATAR_ORDER
    for text in ("{}", '{"0": 19}', '["0"]', '{"a": 1}'):
        table.write_text(text)
        with pytest.raises(UserError, match=r"ids\.json: expected"):
            numbering(str(table))
    with pytest.raises(UserError, match="celebamask"):
        numbering("celeb")


def test_masks_that_do_not_match_are_refused_before_the_set_is_there(photos):
    np.save(photos / "masks" / "b.npy", np.zeros((64, 64), np.uint8))
    with pytest.raises(UserError, match=r"b\.png is 80 x 64 and its mask 64 x 64"):
        write(photos)
    assert not (photos / "set" / "set.json").exists()
    np.save(photos / "masks" / "b.npy", np.full((64, 80), 77, np.uint8))
    with pytest.raises(UserError, match=r"b\.npy: classes of a mask: got 77"):
        write(photos)
    (photos / "masks" / "00007_hair.png").unlink()
    (photos / "masks" / "00007_nose.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="cannot read the mask .*00007_nose.png"):
        write(photos)
    (photos / "masks" / "00007_nose.png").unlink()
    with pytest.raises(UserError, match="picture 7 has no mask .*; expected 7.png"):
        write(photos)
    with pytest.raises(UserError, match=r"cannot read .*set\.json"):
        RegionSet(photos)


def test_lmdb_is_asked_for_before_work(photos, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lmdb", None)
    with pytest.raises(UserError, match=r"pip install 'triptych\[lmdb\]'"):
        write(photos, as_lmdb=True)
    assert not (photos / "set").exists()


def test_the_published_form_holds_the_same_bytes(photos):
    lmdb = pytest.importorskip("lmdb")
    write(photos, as_lmdb=True)
    folder = photos / "set"
    with (
        lmdb.open(str(folder / "lmdb"), readonly=True) as environment,
        environment.begin() as transaction,
    ):
        assert transaction.get(b"length") == b"2"
        kept = transaction.get(b"32-00001")
    assert kept == (folder / "images_32" / "00001.png").read_bytes()
    classes = np.load(folder / "mask_32" / "00001.npy")
    assert (classes == np.array(Image.open(folder / "masks_32" / "00001.png"))).all()


def test_the_middle_is_cut_out():
    image = Image.fromarray(np.arange(40 * 20, dtype=np.uint8).reshape(40, 20))
    assert squared(image, 20, Image.Resampling.NEAREST).getpixel((0, 0)) == image.getpixel((0, 10))
