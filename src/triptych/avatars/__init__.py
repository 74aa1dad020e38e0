"""Synthetic heads with known cameras and regions, built from CC0 geometry.

Light by design: importing this package loads no assets and compiles nothing; `AvatarBuilder` and
`load_assets` are fetched on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triptych.avatars.assets.pack import HeadAssets, load_assets
    from triptych.avatars.avatar import Avatar, AvatarImage
    from triptych.avatars.builder import AvatarBuilder
    from triptych.avatars.people.identity import identity_from_seed

_HOMES = {
    "HeadAssets": "assets.pack",
    "load_assets": "assets.pack",
    "Avatar": "avatar",
    "AvatarBuilder": "builder",
    "AvatarImage": "avatar",
    "identity_from_seed": "people.identity",
}

__all__ = [
    "Avatar",
    "AvatarBuilder",
    "AvatarImage",
    "HeadAssets",
    "identity_from_seed",
    "load_assets",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
