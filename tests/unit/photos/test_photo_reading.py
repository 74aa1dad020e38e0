"""Pictures of every kind become the same upright RGB pixels, or one clear line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.errors import UserError
from triptych.photos import photo as photo_module
from triptych.photos.photo import as_photo, photo_tensor, read_photo


@pytest.fixture(scope="module")
def scene():
    """A picture without symmetry: dark to the left, red at the top."""
    y, x = np.mgrid[0:48, 0:64]
    return np.uint8(np.stack([x * 3 + 20, 200 - y * 3, (x + y) * 2], axis=-1))


def saved(tmp_path, image, name, **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_plain_rgb_is_exact(scene, tmp_path):
    photo = read_photo(saved(tmp_path, Image.fromarray(scene), "a.png"))
    assert (photo.pixels == scene).all()
    assert photo.name == "a.png"
    assert photo.notes == ()


@pytest.mark.parametrize("turn", [1, 2, 3, 4, 5, 6, 7, 8])
def test_exif_turns_are_applied(scene, tmp_path, turn):
    upright = Image.fromarray(scene)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that stores it turned
    stored = upright if turn == 1 else upright.transpose(Image.Transpose(undo[turn]))
    exif = stored.getexif()
    exif[0x0112] = turn
    path = saved(tmp_path, stored, "turned.png", exif=exif)
    assert (read_photo(path).pixels == scene).all()


def test_transparency_shows_light_grey_and_no_hidden_colour(scene, tmp_path):
    alpha = np.zeros(scene.shape[:2], np.uint8)
    alpha[:, 32:] = 255
    image = Image.fromarray(np.dstack([scene, alpha]))
    pixels = read_photo(saved(tmp_path, image, "a.png")).pixels
    assert (pixels[:, :32] == 191).all()
    assert (pixels[:, 32:] == scene[:, 32:]).all()


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("LA", "a.png"), ("1", "a.png"), ("P", "a.gif")]
)
def test_grey_and_palette(scene, tmp_path, mode, name):
    image = Image.fromarray(scene).convert("L").convert(mode)
    pixels = read_photo(saved(tmp_path, image, name)).pixels
    assert pixels.shape == scene.shape
    assert (pixels == np.asarray(image.convert("RGB"))).all()


def test_cmyk(scene, tmp_path):
    path = saved(tmp_path, Image.fromarray(scene).convert("CMYK"), "a.jpg", quality=98)
    assert np.abs(read_photo(path).pixels.astype(int) - scene).mean() < 3


@pytest.mark.parametrize("brightest", [65535, 200])
def test_sixteen_bits_keep_their_range(tmp_path, brightest):
    deep = np.linspace(0, brightest, 48 * 64).reshape(48, 64).astype(np.uint16)
    pixels = read_photo(saved(tmp_path, Image.fromarray(deep), "a.png")).pixels
    assert np.abs(pixels[..., 0] - deep / 257).max() < 0.51


def test_floats_from_zero_to_one(tmp_path):
    values = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    pixels = read_photo(saved(tmp_path, Image.fromarray(values), "a.tif")).pixels
    assert np.abs(pixels[..., 1] - values * 255).max() < 0.51


def test_the_first_frame_of_an_animation(scene, tmp_path):
    first = Image.fromarray(scene)
    path = saved(
        tmp_path, first, "a.webp", save_all=True, lossless=True, append_images=[first.rotate(180)]
    )
    photo = read_photo(path)
    assert (photo.pixels == scene).all()
    assert photo.notes == ("animated: only the first frame is used",)


def test_a_second_view_beside_a_photo_is_no_animation(scene, tmp_path):
    first, second = Image.fromarray(scene), Image.fromarray(255 - scene)
    first.save(tmp_path / "a.jpg", "MPO", quality=95, save_all=True, append_images=[second])
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.notes == ()
    assert np.abs(photo.pixels.astype(int) - scene).mean() < 2


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_huge_pictures_are_reduced(scene, tmp_path, monkeypatch, name):
    monkeypatch.setattr(photo_module, "MOST_PIXELS", 13_000)
    smooth = Image.fromarray(scene).resize((256, 192), Image.Resampling.BICUBIC)
    photo = read_photo(saved(tmp_path, smooth, name))
    assert photo.pixels.shape == (96, 128, 3)
    small = np.asarray(smooth.resize((128, 96), Image.Resampling.BOX))
    assert np.abs(photo.pixels.astype(int) - small).mean() < 3
    assert "reduced from" in photo.notes[0]


def corrupt(tmp_path, scene, kind):
    path = tmp_path / f"{kind}.jpg"
    if kind == "text":
        path.write_text("this is no picture")
    elif kind == "empty":
        path.touch()
    elif kind == "cut off":
        Image.fromarray(scene).resize((640, 480)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "folder":
        path.mkdir()
    elif kind == "tiny":
        Image.fromarray(scene[:20]).save(path)
    elif kind == "strip":
        Image.new("RGB", (1600, 40)).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text", "not a picture that can be read"),
        ("empty", "not a picture that can be read"),
        ("cut off", "cut off or damaged"),
        ("folder", "is a folder"),
        ("absent", "No such file"),
        ("tiny", "too small: 64 x 20 pixels; expected at least 32"),
        ("strip", "1600 x 40 pixels, which is no photo of a face"),
    ],
)
def test_what_is_no_photo_is_said_in_one_line(tmp_path, scene, kind, said):
    with pytest.raises(UserError, match=said) as refused:
        read_photo(corrupt(tmp_path, scene, kind))
    assert "\n" not in str(refused.value)


def test_a_cut_off_png(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), "a.png")
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(UserError, match="cut off or damaged"):
        read_photo(path)


def test_an_absurdly_large_picture_is_refused_before_it_is_decoded(tmp_path, scene, monkeypatch):
    path = saved(tmp_path, Image.fromarray(scene), "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match="too large"):
        read_photo(path)


def test_whatever_a_caller_has(scene, tmp_path):
    tensor = photo_tensor(scene)
    assert tensor.shape == (1, 3, 48, 64)
    path = saved(tmp_path, Image.fromarray(scene), "a.png")
    images = (path, str(path), Image.fromarray(scene), scene, tensor, tensor[0], as_photo(path))
    for image in images:
        assert (as_photo(image).pixels == scene).all()


@pytest.mark.parametrize(
    "image", [3, None, np.zeros((48, 64, 3)), torch.zeros(2, 3, 48, 64), torch.zeros(3, 3).int()]
)
def test_what_is_no_picture(image):
    with pytest.raises(UserError, match="picture: got"):
        as_photo(image)
