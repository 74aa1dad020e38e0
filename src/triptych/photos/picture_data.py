"""Picture files taken apart: what decides their pixels, and the metadata that comes with them.

Cameras, phones and editors write metadata that Pillow cannot read, and it then refuses the picture.
Here the metadata is taken out before Pillow sees the file, so that whatever is wrong with it, the
pixels are read. Of the metadata only the orientation and the colour profile are used.

JPEG    application segments and comments; a second picture (MPO), of which only the index goes
PNG     chunks that are not needed for the pixels
TIFF    entries of the first directory that are not needed for the pixels
WebP    nothing is taken out: its decoder looks at no metadata
AVIF    and HEIF: the Exif item; turns of the picture are stored elsewhere
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from triptych.photos.tiff_directory import TiffDirectory

Metadata = dict[str, bytes]
"""Blocks of metadata by the names that Pillow's `Image.info` has for them."""

EXIF, XMP, PROFILE = "exif", "xmp", "icc_profile"

_LARGEST_BLOCK = 16 << 20  # bytes; a compressed block that would be larger is not metadata

_JFIF, _ADOBE, _COMMENT, _START_OF_SCAN = 0xE0, 0xEE, 0xFE, 0xDA
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
# Needed for the pixels, and long enough that decoders read all of them.
_NEEDED_SEGMENTS = {_JFIF: (b"JFIF\0", 14), _ADOBE: (b"Adobe", 12)}
_EXIF_START, _XMP_START = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_PROFILE_START = b"ICC_PROFILE\0"

_PNG_START = b"\x89PNG\r\n\x1a\n"
_NEEDED_CHUNKS = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}  # beside the critical ones
_RAW_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")
_XMP_KEYWORD = b"XML:com.adobe.xmp"

_TIFF_XMP = 700
# What a decoder needs: sizes and layout, compression, strips, colour map, tiles, samples, JPEG
# tables, YCbCr, colour profile, LERC.
_NEEDED_TAGS = {
    *range(254, 260), 262, 263, *range(264, 267), 273, *range(277, 282), 284, 292, 293, 301, 317,
    318, 319, 320, *range(322, 326), *range(332, 343), 347, *range(512, 522), *range(529, 533),
    34675, 50674,
}  # fmt: skip

_EXIF_ITEM = re.compile(rb"(infe[\2\3].{3}(?:..|....)..)Exif", re.DOTALL)
_ITEMS_WITHIN = 1 << 20  # bytes at the start of a file in which its items are listed


def take_apart(data: bytes) -> tuple[bytes, Metadata]:
    """Return a picture file without its metadata, and the metadata.

    A file of another kind comes back as it is; so do parts whose structure is broken, about which
    the decoder is left to complain.
    """
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(_PNG_START):
        return _png(data)
    if directory := TiffDirectory.of(data):
        metadata = {EXIF: data}  # a TIFF file is what an Exif block is
        if xmp := directory.value(_TIFF_XMP):
            metadata[XMP] = xmp
        return directory.without(lambda tag: tag not in _NEEDED_TAGS), metadata
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return data, _webp(data)
    if data[4:8] == b"ftyp":
        start = _EXIF_ITEM.sub(rb"\1none", data[:_ITEMS_WITHIN])
        return start + data[_ITEMS_WITHIN:], {}
    return data, {}


def orientation_of(info: Mapping[Any, Any]) -> int:
    """Return the EXIF orientation, 1 to 8, that metadata names; 1 if it names none.

    Args:
        info: Metadata as in `Image.info`; whatever cannot be read is ignored.
    """
    exif = info.get(EXIF)
    if not isinstance(exif, bytes):
        exif = _raw_profile(info.get("Raw profile type exif"))
    orientation = None
    if directory := TiffDirectory.of(re.sub(b"^(Exif\0\0){1,2}", b"", exif)):
        orientation = directory.orientation()
    if orientation is None:
        xmp = info.get(XMP) or info.get(_XMP_KEYWORD.decode()) or b""
        text = xmp if isinstance(xmp, str) else bytes(xmp).decode("latin-1")
        found = re.search(r'tiff:Orientation(?:="|>)([0-9])', text)
        orientation = int(found[1]) if found else 1
    return orientation if 1 <= orientation <= 8 else 1


def _jpeg(data: bytes) -> tuple[bytes, Metadata]:
    kept = [data[:2]]
    metadata: Metadata = {}
    parts: list[bytes] = []
    for marker, segment in _segments(data):
        body = segment[4:]
        if _is_needed(marker, body):
            kept.append(segment)
        elif body.startswith(_EXIF_START):
            metadata[EXIF] = metadata.get(EXIF, _EXIF_START) + body[len(_EXIF_START) :]
        elif body.startswith(_XMP_START):
            metadata[XMP] = body[len(_XMP_START) :]
        elif body.startswith(_PROFILE_START):
            parts.append(body[len(_PROFILE_START) :])
    # A profile is cut into segments that begin with their number and how many there are.
    if parts and all(len(part) > 2 and part[1] == len(parts) for part in parts):
        metadata[PROFILE] = b"".join(part[2:] for part in sorted(parts))
    return b"".join(kept), metadata


def _is_needed(marker: int, body: bytes) -> bool:
    """Say whether a decoder needs a segment of a JPEG file for the pixels."""
    if marker in _NEEDED_SEGMENTS:
        start, length = _NEEDED_SEGMENTS[marker]
        return body.startswith(start) and len(body) >= length
    return marker != _COMMENT and not 0xE0 <= marker <= 0xEF


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments of a JPEG file, with their markers; the last one is all the rest."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in (0x00, 0xFF):  # no marker, but padding or junk
            at += 1
            continue
        end = at + 2
        if marker == _START_OF_SCAN:
            end = len(data)
        elif marker not in _ALONE:
            end += int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at:end]
        at = end


def _png(data: bytes) -> tuple[bytes, Metadata]:
    kept, at = [_PNG_START], len(_PNG_START)
    metadata: Metadata = {}
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : end - 4]
        if kind[:1].isupper() or kind in _NEEDED_CHUNKS:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            metadata[EXIF] = body
        elif kind == b"iCCP":
            metadata[PROFILE] = _inflated(body.partition(b"\0")[2][1:])
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            keyword, text = _text(kind, body)
            if keyword == _XMP_KEYWORD:
                metadata[XMP] = text
            elif keyword in _RAW_EXIF:
                metadata.setdefault(EXIF, _raw_profile(text.decode("latin-1")))
        at = end
    return b"".join([*kept, data[at:]]), metadata


def _text(kind: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Return keyword and text of a text chunk."""
    keyword, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return keyword, rest
    if kind == b"zTXt":
        return keyword, _inflated(rest[1:])
    compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    return keyword, _inflated(text) if compressed else text


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _LARGEST_BLOCK)
    except zlib.error:
        return b""


def _raw_profile(text: Any) -> bytes:
    """Return the block that ImageMagick writes into PNG files as lines of hexadecimal digits."""
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _webp(data: bytes) -> Metadata:
    names = {b"EXIF": EXIF, b"XMP ": XMP, b"ICCP": PROFILE}
    metadata: Metadata = {}
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if name := names.get(data[at : at + 4]):
            metadata[name] = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return metadata
