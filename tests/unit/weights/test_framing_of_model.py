"""The framing of a model is known without loading its weights."""

from __future__ import annotations

import pytest

from triptych.errors import UserError
from triptych.framing import AVATAR_FRAMING, EG3D_FRAMING
from triptych.weights import save_module
from triptych.weights.framing_of_model import framing_of_model


def test_embedded_and_official_models():
    assert framing_of_model() == framing_of_model("avatar-generator") == AVATAR_FRAMING
    assert framing_of_model("ffhqrebalanced512-128") == EG3D_FRAMING


def test_a_file_says_its_own(toy_generator, tmp_path):
    save_module(tmp_path / "toy.safetensors", toy_generator)
    expected = toy_generator.config.photo_framing()
    assert framing_of_model(tmp_path / "toy.safetensors") == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("avatar-features", "of kind features"),
        ("ffhq", "no model or file"),
        ("absent.safetensors", "there is no file"),
        ("shapenetcars128-64", "not one of human faces"),
    ],
)
def test_what_is_no_generator_of_faces(name, said):
    with pytest.raises(UserError, match=said):
        framing_of_model(name)
