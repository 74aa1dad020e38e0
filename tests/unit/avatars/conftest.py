"""One builder for all avatar tests: preparing it costs about a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.avatars.assets.pack import HeadAssets, load_assets
from triptych.avatars.builder import AvatarBuilder


@pytest.fixture(scope="session")
def head_assets(makehuman_pack: Path) -> HeadAssets:
    return load_assets(makehuman_pack)


@pytest.fixture(scope="session")
def avatar_builder(head_assets: HeadAssets) -> AvatarBuilder:
    return AvatarBuilder(head_assets)
