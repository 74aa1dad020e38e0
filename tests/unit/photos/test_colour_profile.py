"""Pictures in other colour spaces become sRGB by the definition of their profile."""

from __future__ import annotations

import numpy as np
import pytest
from icc_profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    grey_profile,
    rgb_profile,
    srgb_encoded,
    to_srgb,
)
from PIL import Image, ImageCms

from triptych.photos.colour_profile import as_srgb
from triptych.photos.photo import as_photo, read_photo

SPACES = {"Display P3": (DISPLAY_P3, 2.2), "Adobe RGB": (ADOBE_RGB, 563 / 256)}


@pytest.fixture(scope="module")
def colours():
    """Moderate colours, all of which lie within sRGB in each of the spaces."""
    steps = np.linspace(70, 190, 8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(32, 16, 3)
    return np.repeat(np.uint8(grid), 4, axis=1)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("file", ["a.png", "a.webp", "a.tif", "a.jpg", "a.avif"])
def test_colours_of_a_file_are_converted(tmp_path, colours, name, file):
    if file == "a.avif" and "AVIF" not in Image.SAVE:
        pytest.importorskip("PIL._avif")
    primaries, gamma = SPACES[name]
    profile = rgb_profile(primaries, gamma)
    lossy = file in ("a.jpg", "a.avif")
    if lossy:  # flat colour, which compression keeps
        colours = np.broadcast_to(np.uint8([150, 90, 180]), colours.shape)
    options = {"lossless": True} if file == "a.webp" else {"quality": 100} if lossy else {}
    Image.fromarray(colours).save(tmp_path / file, icc_profile=profile, **options)
    pixels = read_photo(tmp_path / file).pixels
    wanted = to_srgb(colours, primaries, gamma)
    assert np.abs(wanted - colours).max() > 3  # the profile matters
    assert np.abs(pixels - wanted).max() < (2.6 if lossy else 1.1)


def test_a_profile_of_srgb_changes_no_pixel(tmp_path, colours):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=profile)
    assert (read_photo(tmp_path / "a.png").pixels == colours).all()


def test_grey_pictures_are_converted_by_grey_and_by_colour_profiles():
    grey = np.repeat(np.arange(40, 240, dtype=np.uint8)[None], 32, axis=0)
    for profile in (grey_profile(1.0), rgb_profile(SRGB, 1.0)):
        image = Image.fromarray(grey)
        image.info["icc_profile"] = profile
        pixels = as_photo(image).pixels
        assert np.abs(pixels - srgb_encoded(grey / 255)[..., None]).max() < 1.1


def test_transparency_is_laid_over_the_grey_of_srgb(colours):
    primaries, gamma = SPACES["Display P3"]
    alpha = np.full(colours.shape[:2], 255, np.uint8)
    alpha[:, :20] = 0
    image = Image.fromarray(np.dstack([colours, alpha]))
    image.info["icc_profile"] = rgb_profile(primaries, gamma)
    pixels = as_photo(image).pixels
    assert (pixels[:, :20] == 191).all()
    assert np.abs(pixels - to_srgb(colours, primaries, gamma))[:, 20:].max() < 1.1


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"not a profile",
        rgb_profile(DISPLAY_P3, 2.2)[:200],
        rgb_profile(DISPLAY_P3, 2.2).replace(b"RGB ", b"CMYK"),
        grey_profile(1.0),
    ],
    ids=["empty", "text", "cut off", "of inks", "of grey pictures"],
)
def test_a_profile_that_does_not_fit_is_ignored(colours, profile):
    assert (np.asarray(as_srgb(Image.fromarray(colours), profile)) == colours).all()


def test_lab_pictures_become_srgb():
    lab = Image.merge("LAB", [Image.new("L", (40, 40), value) for value in (128, 128, 128)])
    pixels = as_photo(lab).pixels
    # L* = 100 * 128 / 255 without colour is linear light 0.1883 (CIE 1976)
    assert np.abs(pixels - srgb_encoded(np.array(((50.196 + 16) / 116) ** 3))).max() < 1.1


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 500), pytest.param(1, 10_000, marks=pytest.mark.slow)]
)
def test_damaged_profiles_never_stop_a_picture(seed, count):
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (32, 32), (90, 120, 150))
    whole = [rgb_profile(DISPLAY_P3, 2.2), grey_profile(2.2)]
    for number in range(count):
        profile = np.frombuffer(whole[number % 2], np.uint8).copy()
        places = rng.integers(len(profile), size=rng.integers(1, 12))
        profile[places] = rng.integers(256, size=len(places))
        seen = as_srgb(image, profile.tobytes()[: int(rng.integers(len(profile)) + 1)])
        assert (seen.mode, seen.size) == ("RGB", (32, 32))
