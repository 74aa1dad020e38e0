"""Metadata never decides over pixels: whatever a file says about itself, its picture is read."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from exif_blocks import (
    ASCII,
    EXIF_START,
    GPS,
    LONG,
    ORIENTATION,
    RATIONAL,
    RESOLUTION_UNIT,
    SHORT,
    damaged,
    exif_block,
    random_block,
)
from PIL import Image, features

from triptych.photos.photo import read_photo
from triptych.photos.picture_data import orientation_of, take_apart
from triptych.photos.picture_file import picture_in

UNDO = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that stores it turned
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


@pytest.fixture(scope="module")
def scene():
    """Flat quarters of four colours, which every format keeps nearly."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32], pixels[:24, 32:] = (200, 60, 60), (60, 200, 60)
    pixels[24:, :32], pixels[24:, 32:] = (60, 60, 200), (220, 220, 220)
    return pixels


def stored(scene, turn):
    """The picture as a camera that was turned stores it."""
    image = Image.fromarray(scene)
    return image if UNDO[turn] is None else image.transpose(Image.Transpose(UNDO[turn]))


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(image, *segments):
    """A JPEG file with segments (marker, contents) behind its first ones."""
    data = encoded(image, "JPEG", quality=95, subsampling=0)
    at = 4 + int.from_bytes(data[4:6], "big")  # behind the JFIF segment
    parts = [struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments]
    return data[:at] + b"".join(parts) + data[at:]


def jpeg_without_jfif(image, *segments):
    """As most cameras write it: then Pillow takes the resolution from the Exif block."""
    data = jpeg(image, *segments)
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def png(image, *chunks, wrong_check=False):
    """A PNG file with chunks (kind, contents) before its pixels."""
    data = encoded(image, "PNG")
    parts = [
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body) ^ wrong_check)
        for kind, body in chunks
    ]
    return data[:33] + b"".join(parts) + data[33:]


def webp(image, exif):
    return encoded(image, "WEBP", lossless=True, exif=exif)


def avif(image, exif):
    """An AVIF file with an Exif block that Pillow would not write itself."""
    usual = exif_block([(0x010F, ASCII, 4, 0)], after=bytes(len(exif)))[: max(len(exif), 26)]
    data = encoded(image, "AVIF", exif=EXIF_START + usual)
    return data.replace(usual, exif.ljust(len(usual), b"\0"))


def pixels_of(tmp_path, data, name="photo"):
    (tmp_path / name).write_bytes(data)
    return read_photo(tmp_path / name).pixels.astype(int)


def test_a_resolution_unit_of_text(scene, tmp_path):
    block = exif_block([(ORIENTATION, SHORT, 1, 6), (RESOLUTION_UNIT, ASCII, 2, 0x0041)])
    for make in (jpeg, jpeg_without_jfif):
        data = make(stored(scene, 6), (0xE1, EXIF_START + block))
        assert np.abs(pixels_of(tmp_path, data) - scene).max() < 12


def test_a_place_of_nought_over_nought(scene, tmp_path):
    place = exif_block([(1, RATIONAL, 3, 38 + 18), (2, RATIONAL, 1, 38 + 18)])[8:]
    block = exif_block([(ORIENTATION, SHORT, 1, 6), (GPS, LONG, 1, 38)], after=place + bytes(24))
    data = jpeg(stored(scene, 6), (0xE1, EXIF_START + block))
    assert np.abs(pixels_of(tmp_path, data) - scene).max() < 12


@pytest.mark.parametrize(
    "kind",
    [
        b"eXIf",
        b"iCCP",
        b"tEXt",
        b"zTXt",
        b"iTXt",
        b"pHYs",
        b"tIME",
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"cICP",
    ],
)
@pytest.mark.parametrize("wrong_check", [False, True])
def test_a_png_with_a_damaged_chunk(scene, tmp_path, kind, wrong_check):
    for body in (b"", b"\0", b"II*\0\x08", bytes(range(256)), b"name\0\0" + zlib.compress(b"x")):
        data = png(Image.fromarray(scene), (kind, body), wrong_check=wrong_check)
        assert (pixels_of(tmp_path, data) == scene).all()


@pytest.mark.parametrize("number", range(16))
def test_a_jpeg_with_damaged_segments(scene, tmp_path, number):
    plain = np.asarray(Image.open(io.BytesIO(jpeg(Image.fromarray(scene)))))
    for start in (b"", EXIF_START, b"ICC_PROFILE\0", b"MPF\0", b"JFIF\0", b"Photoshop 3.0\0"):
        for body in (b"", b"\1", b"\1\2xyz", bytes(range(200))):
            if (number, start) == (0, b"JFIF\0"):  # it says how the pixels are coded
                continue
            data = jpeg(Image.fromarray(scene), (0xE0 + number, start + body))
            assert (pixels_of(tmp_path, data) == plain).all()


def test_a_text_that_would_fill_the_memory(scene, tmp_path):
    bomb = zlib.compress(bytes(40 << 20))
    data = png(Image.fromarray(scene), (b"zTXt", b"Raw profile type exif\0\0" + bomb))
    assert (pixels_of(tmp_path, data) == scene).all()
    assert len(take_apart(data)[1]["exif"]) <= 16 << 20


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_every_format_is_turned_upright(scene, tmp_path, turn, order):
    image = stored(scene, turn)
    block = exif_block([(ORIENTATION, SHORT, 1, turn)], order=order)
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    xmp = XMP % turn
    exact = {
        "png": png(image, (b"eXIf", block)),
        "png by ImageMagick": png(
            image, (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
        ),
        "png with xmp": png(image, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)),
        "webp": webp(image, block),
        "tiff": encoded(image, "TIFF", tiffinfo={ORIENTATION: turn}),
    }
    for name, data in exact.items():
        assert (pixels_of(tmp_path, data, name) == scene).all(), name
    nearly = {
        "jpeg": jpeg(image, (0xE1, EXIF_START + block)),
        "jpeg with xmp": jpeg(image, (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)),
    }
    for name, data in nearly.items():
        assert np.abs(pixels_of(tmp_path, data, name) - scene).max() < 12, name


@needs_avif
@pytest.mark.parametrize("turn", [1, 3, 6])
def test_avif_is_turned_as_its_container_says(scene, tmp_path, turn):
    exif = Image.Exif()
    exif[ORIENTATION] = turn  # Pillow stores it as the container's own turn
    data = encoded(stored(scene, turn), "AVIF", exif=exif, quality=90)
    assert np.abs(pixels_of(tmp_path, data) - scene).mean() < 3


@needs_avif
def test_avif_with_a_damaged_block(scene, tmp_path):
    for block in (b"", b"nonsense", bytes(60), exif_block([(RESOLUTION_UNIT, 13, 2**31, 5)])[:20]):
        data = avif(Image.fromarray(scene), block)
        assert np.abs(pixels_of(tmp_path, data) - scene).mean() < 3


def test_heic_is_read_where_pillow_heif_is_installed(scene, tmp_path):
    heif = pytest.importorskip("pillow_heif")
    turned = exif_block([(ORIENTATION, SHORT, 1, 6)])  # stored as the container's own turn
    for turn, block in ((6, turned), (1, b"nonsense"), (1, b"")):
        stream = io.BytesIO()
        heif.from_pillow(stored(scene, turn)).save(stream, quality=90, exif=EXIF_START + block)
        assert np.abs(pixels_of(tmp_path, stream.getvalue()) - scene).mean() < 3


def test_orientations_that_make_no_sense_leave_the_picture_as_it_is():
    for entry in ((SHORT, 1, 0), (SHORT, 1, 9), (ASCII, 1, 6), (SHORT, 2, 6), (RATIONAL, 1, 6)):
        assert orientation_of({"exif": exif_block([(ORIENTATION, *entry)])}) == 1
    assert orientation_of({"exif": exif_block([(ORIENTATION, LONG, 1, 6)])}) == 6
    assert orientation_of({"exif": "text", "xmp": 5 * b"x"}) == 1
    assert orientation_of({}) == 1


def check_file(data, stored, turn, tolerance):
    """A file has the pixels that were stored, and says this orientation."""
    image = picture_in(data, "a photo", 10**6).image
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - stored).max() <= tolerance
    assert orientation_of(image.info) == turn


def check_blocks(scene, seed, count):
    """Photos with `count` wrong Exif blocks each have their pixels, and the turn that is said."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(scene)
    for _ in range(count):
        block, turn = random_block(rng)
        assert orientation_of({"exif": EXIF_START + block}) == turn
        if rng.random() < 0.5:
            block = damaged(block, rng)
            turn = orientation_of({"exif": block})
        check_file(jpeg(image, (0xE1, EXIF_START + block)), scene, turn, 12)
        check_file(jpeg_without_jfif(image, (0xE1, EXIF_START + block)), scene, turn, 12)
        check_file(png(image, (b"eXIf", block), wrong_check=rng.random() < 0.3), scene, turn, 0)
        check_file(webp(image, block), scene, turn, 0)


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 300), pytest.param(1, 10_000, marks=pytest.mark.slow)]
)
def test_blocks_of_every_kind(scene, seed, count):
    check_blocks(scene, seed, count)


@pytest.mark.parametrize(
    ("seed", "count"), [(2, 300), pytest.param(3, 10_000, marks=pytest.mark.slow)]
)
def test_tiff_entries_of_every_kind(scene, seed, count):
    rng = np.random.default_rng(seed)
    data = encoded(Image.fromarray(scene), "TIFF")
    start = int.from_bytes(data[4:8], "little")
    number = int.from_bytes(data[start : start + 2], "little")
    own = data[start + 2 : start + 2 + 12 * number]
    for _ in range(count):
        block, turn = random_block(rng, order="<")
        added = int.from_bytes(block[8:10], "little")
        directory = (number + added).to_bytes(2, "little") + own + block[10 : 10 + 12 * added]
        head = data[:4] + len(data).to_bytes(4, "little") + data[8:]
        check_file(head + directory + bytes(4), scene, turn, 0)
