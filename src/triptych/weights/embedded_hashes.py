"""Embedded files of format version 1: their own hashes leave out the header, these do not."""

from __future__ import annotations

KNOWN_FILES_OF_VERSION_1 = frozenset(
    {
        "d80591ed9a105b6f8171a8f9ed48ccc45c9a0876393bdce45b0584a32cc1803f",  # avatar-classifier
        "6600cfd21555ae114d76eb125b1ed62fb4ef8b03ab3c0ff8be44a68373a0207c",  # avatar-features
        "f103abc76c3e5b6cc94cbf29fd2209528613d84fe1b1c446245bb160dbf06f71",  # avatar-generator
        "22d659abae39c6c9ca493499b4d18d46ca919957483b771ce75b16e06354da5e",  # avatar-i2t
        "cbb762483381980de4a4a3da4a4996be6bf473439fcdb37f94822ea2d34812a6",  # avatar-landmarks
        "09f5be0711cee4a3795e0bf51c2e43408110aec20e4e2ce0ca96dee4d4ba179c",  # avatar-psp-baseline
        "dcf7e7b66e2253e488fb4e359e88bd1c8e89df38ba94a33c4eefd4b7336d913e",  # avatar-psp
        "bbfb0f4e77055077c4d81fa9321a4e62932cd0df1dc09f0a485758ef597551ac",  # face-mesh-template
    }
)
"""As `file_header.sealed_hash` computes them."""
