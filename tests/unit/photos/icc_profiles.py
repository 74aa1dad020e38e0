"""ICC profiles written from their numbers, for tests of colour conversion."""

from __future__ import annotations

import struct

import numpy as np

# Primaries in CIE XYZ adapted to D50, one row each, as the profiles of these names have them.
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
_D50 = (0.9642, 1.0, 0.8249)


def rgb_profile(primaries, gamma: float) -> bytes:
    """Write a profile of three primaries and one power law."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    colours = {f"{name}XYZ".encode(): _xyz(row) for name, row in zip("rgb", primaries, strict=True)}
    curves = {f"{name}TRC".encode(): curve for name in "rgb"}
    return _profile(b"RGB ", {**colours, **curves})


def grey_profile(gamma: float) -> bytes:
    """Write a profile of grey pictures with one power law."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"GRAY", {b"kTRC": curve})


def to_srgb(pixels: np.ndarray, primaries, gamma: float) -> np.ndarray:
    """Convert uint8 pixels [..., 3] by the definition of the profile, in floating point."""
    linear = (pixels / 255.0) ** (round(gamma * 256) / 256) @ np.array(primaries)
    return srgb_encoded(np.clip(linear @ np.linalg.inv(np.array(SRGB)), 0, 1))


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """Encode linear light 0..1 by sRGB's curve, as numbers 0..255."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(_D50), b"cprt": b"text" + bytes(4) + b"none\0\0\0\0", **tags}
    body, table, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x02100000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *_fixed(_D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(numbers) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *_fixed(numbers))


def _fixed(numbers) -> list[int]:
    return [round(number * 65536) for number in numbers]
