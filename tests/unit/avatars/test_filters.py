"""Picture filters: plain background, range, determinism, and what each is known by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from triptych.avatars.styles import brushes
from triptych.avatars.styles.filters import (
    FILTERS,
    apply_filter,
    filter_pixels,
    plain_background,
)
from triptych.errors import UserError

SIZE = 64
COLOURLESS = ("pencil", "charcoal", "black_and_white")


@pytest.fixture
def face() -> torch.Tensor:
    """A disc of skin with dark eyes and hair and a blue collar over the background."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    image = torch.full((1, 3, SIZE, SIZE), 0.5)
    disc = (rows - 34) ** 2 + (columns - 32) ** 2 < 22**2
    hair, collar = disc & (rows < 22), disc & (rows > 46)
    eyes = ((rows - 32) ** 2 + (columns - 24) ** 2 < 8) | (
        (rows - 32) ** 2 + (columns - 40) ** 2 < 8
    )
    shade = 0.25 * torch.cos(columns / 12.0)
    for channel, (skin, lock) in enumerate(zip((0.6, 0.2, -0.05), (-0.6, -0.7, -0.8), strict=True)):
        image[0, channel][disc] = (skin + shade)[disc]
        image[0, channel][hair | eyes] = lock
    image[0, :, collar] = torch.tensor([-0.6, -0.3, 0.6])[:, None]
    return image


@pytest.fixture
def cover(face) -> torch.Tensor:
    return 1.0 - plain_background(face)


def test_background_is_found_from_the_border_inwards():
    image = torch.full((1, 3, 8, 8), 0.5)
    image[..., 2:6, 2:6] = -1.0
    image[..., 3:5, 3:5] = 0.5  # grey enclosed by the head is not background
    expected = torch.ones(8, 8)
    expected[2:6, 2:6] = 0.0
    assert torch.equal(plain_background(image)[0, 0], expected)


def test_a_head_that_touches_the_border_keeps_its_edge():
    image = torch.full((1, 3, 4, 4), 0.5)
    image[..., 3, :] = 0.0
    assert plain_background(image)[0, 0].sum() == 12


@pytest.mark.parametrize("name", FILTERS)
class TestEveryFilter:
    def test_keeps_shape_range_and_background(self, name, face, cover):
        before = face.clone()
        filtered = apply_filter(name, face)
        assert filtered.shape == face.shape
        assert filtered.min() >= -1.0
        assert filtered.max() <= 1.0
        background = (cover == 0.0).expand_as(face)
        assert torch.equal(filtered[background], torch.full_like(filtered[background], 0.5))
        assert torch.equal(face, before)

    def test_changes_the_head_strongly(self, name, face, cover):
        change = (apply_filter(name, face) - face).abs() * cover
        assert change.sum() / (3 * cover.sum()) > 0.05

    def test_is_deterministic_and_leaves_the_random_state(self, name, face):
        state = torch.random.get_rng_state()
        assert torch.equal(apply_filter(name, face), apply_filter(name, face))
        assert torch.equal(state, torch.random.get_rng_state())

    def test_batch_equals_singles(self, name, face):
        batch = torch.cat([face, face.flip(3), 0.5 * face])
        singles = torch.cat([apply_filter(name, image[None]) for image in batch])
        torch.testing.assert_close(apply_filter(name, batch), singles, atol=2e-5, rtol=0)

    def test_an_empty_picture_stays_empty(self, name):
        empty = torch.full((1, 3, SIZE, SIZE), 0.5)
        assert torch.equal(apply_filter(name, empty), empty)

    def test_given_coverage_is_used(self, name, face):
        nothing = torch.zeros(1, 1, SIZE, SIZE)
        assert torch.equal(apply_filter(name, face, nothing), torch.full_like(face, 0.5))

    def test_differs_from_all_others(self, name, face, cover):
        own = apply_filter(name, face)
        for other in FILTERS:
            if other != name:
                distance = ((own - apply_filter(other, face)).abs() * cover).sum() / cover.sum()
                assert distance > 0.15, other

    def test_works_at_other_sizes_and_shapes(self, name):
        image = torch.linspace(-1, 1, 3 * 40 * 56).reshape(1, 3, 40, 56)
        assert apply_filter(name, image).shape == image.shape


@pytest.mark.parametrize("name", COLOURLESS)
def test_drawings_have_almost_no_colour(name, face, cover):
    filtered = apply_filter(name, face) * cover
    assert (filtered.amax(1) - filtered.amin(1)).max() < 0.08


def test_sepia_is_brown_everywhere(face, cover):
    red, green, blue = apply_filter("sepia", face)[0][:, cover[0, 0] > 0]
    assert (red > green).all()
    assert (green > blue).all()


def test_pencil_draws_plain_areas_as_paper():
    plain = torch.full((1, 3, SIZE, SIZE), 0.2)
    drawn = apply_filter("pencil", plain, torch.ones(1, 1, SIZE, SIZE))
    assert drawn.min() > 0.85


def test_pixel_art_has_square_pixels(face):
    whole = torch.ones(1, 1, SIZE, SIZE)
    filtered = apply_filter("pixel_art", face, whole)
    block = 2  # four pixels of a picture of 128
    corner = filtered[..., ::block, ::block]
    assert torch.equal(filtered, corner.repeat_interleave(block, 2).repeat_interleave(block, 3))


def test_pop_art_is_made_of_few_colours(face, cover):
    colours = apply_filter("pop_art", face)[0][:, cover[0, 0] > 0].T
    rounded = torch.unique((colours * 8).round(), dim=0, return_counts=True)[1]
    assert rounded.sort(descending=True).values[:6].sum() > 0.6 * len(colours)


def test_8_bit_pictures_take_the_same_way(face, cover):
    pixels = ((face[0].permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8).numpy()
    expected = apply_filter(
        "sepia", torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1, cover
    )
    filtered = filter_pixels("sepia", pixels, cover[0, 0].numpy())
    assert filtered.dtype == np.uint8
    assert np.abs(filtered / 127.5 - 1 - expected[0].permute(1, 2, 0).numpy()).max() < 0.005
    assert (filtered[0, 0] == 191).all()


def test_mistakes_are_explained(face):
    with pytest.raises(UserError, match="'fresco'.*pencil"):
        apply_filter("fresco", face)
    with pytest.raises(UserError, match=r"\[n, 3, h, w\]"):
        apply_filter("sepia", face[0])


class TestBrushes:
    def test_blur_keeps_constants_and_the_mean_of_a_dot(self):
        constant = torch.full((1, 2, 16, 16), 0.7)
        torch.testing.assert_close(brushes.blur(constant, 4.0), constant)
        dot = torch.zeros(1, 1, 33, 33)
        dot[..., 16, 16] = 1.0
        blurred = brushes.blur(dot, 4.0)
        torch.testing.assert_close(blurred.sum(), torch.tensor(1.0))
        assert blurred[0, 0, 16, 17] == pytest.approx(blurred[0, 0, 17, 16].item())

    def test_blur_of_a_dot_is_a_gaussian(self):
        dot = torch.zeros(1, 1, 128, 128)
        dot[..., 64, 64] = 1.0
        blurred = brushes.blur(dot, 2.0)[0, 0, 64]
        assert (blurred[66] / blurred[64]).item() == pytest.approx(np.exp(-0.5), rel=1e-4)

    def test_kuwahara_keeps_a_straight_edge_sharp(self):
        image = torch.zeros(1, 3, 128, 128)
        image[..., 64:] = 1.0
        assert torch.equal(brushes.kuwahara(image, 3), image)

    def test_bilateral_smooths_noise_but_not_an_edge(self):
        noise = 0.02 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
        image = noise.clone()
        image[..., 64:] += 1.0
        smooth = brushes.bilateral(image, 2, 0.15)
        assert smooth[..., :60].std() < 0.4 * image[..., :60].std()
        assert (smooth[..., 64] - smooth[..., 63]).min() > 0.9

    def test_palette_ramp_meets_its_colours(self):
        palette = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        tones = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).view(1, 1, 1, 5)
        ramp = brushes.palette_ramp(tones, palette)[0, :, 0].T.tolist()
        expected = [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 0.5, 0.5], [1, 1, 1]]
        assert ramp == expected

    def test_saturation_leaves_grey_alone(self):
        grey = torch.full((1, 3, 4, 4), 0.4)
        torch.testing.assert_close(brushes.saturated(grey, 2.0), grey)

    def test_edges_are_drawn_on_the_dark_side(self):
        image = torch.full((1, 1, 128, 128), 0.2)
        image[..., 64:] = 0.8
        lines = brushes.edges(image, 1.0, 0.02)[0, 0, 64]
        assert lines[63] > 0.9
        assert lines[:55].max() == 0.0
        assert lines[66:].max() == 0.0

    def test_grain_has_the_promised_spread_and_repeats(self):
        picture = torch.zeros(2, 3, 128, 128)
        grain = brushes.grain(picture, 1.0)
        assert grain.shape == (2, 1, 128, 128)
        assert grain.mean().item() == pytest.approx(0.5, abs=0.03)
        assert grain.std().item() == pytest.approx(0.25, abs=0.03)
        assert torch.equal(grain, brushes.grain(picture, 1.0))
