"""Fixtures of the stylize pipeline in miniature; see `toy_stylize`."""

from __future__ import annotations

import pytest
from toy_stylize import (
    TINY_SETTINGS,
    RecolouringEditor,
    toy_head_generator,
    toy_image_to_triplane,
)

from triptych.models.eg3d import TriPlaneGenerator
from triptych.systems.stylize.image_to_triplane import ImageToTriplane
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.systems.stylize.settings import StylizeSettings


@pytest.fixture(scope="session")
def tiny_generator() -> TriPlaneGenerator:
    """A random generator whose heads are blobs in the middle of the box."""
    return toy_head_generator()


@pytest.fixture(scope="session")
def tiny_network(tiny_generator: TriPlaneGenerator) -> ImageToTriplane:
    """A network as if pre-trained: for any picture it returns about the planes of head 3."""
    return toy_image_to_triplane(tiny_generator)


@pytest.fixture
def editor() -> RecolouringEditor:
    """A fresh editor."""
    return RecolouringEditor()


@pytest.fixture
def pipeline(
    tiny_generator: TriPlaneGenerator, tiny_network: ImageToTriplane, editor: RecolouringEditor
) -> StylizePipeline:
    """The pipeline in miniature, without a perceptual term."""
    return StylizePipeline(tiny_generator, tiny_network, editor, name="tiny")


@pytest.fixture
def settings() -> StylizeSettings:
    """Settings under which the miniature runs in about a second."""
    return TINY_SETTINGS
