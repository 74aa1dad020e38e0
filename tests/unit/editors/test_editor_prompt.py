"""Prompts are decorated like the training phrases."""

from __future__ import annotations

import pytest

from triptych.editors.image_editor import FF3D_TEMPLATE, EditorConfig
from triptych.editors.prompt import decorated, words_of
from triptych.errors import UserError


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("an elf", "turn the head into an elf, realistic, detail, 8k, photorealistic"),
        ("  an elf. ", "turn the head into an elf, realistic, detail, 8k, photorealistic"),
        ("Make him old", "Make him old, realistic, detail, 8k, photorealistic"),
        ("give her pointed ears", "give her pointed ears, realistic, detail, 8k, photorealistic"),
    ],
)
def test_a_name_is_put_into_the_sentence_and_an_instruction_replaces_its_opening(prompt, sentence):
    assert decorated(prompt, FF3D_TEMPLATE) == sentence


def test_words_are_lower_case_and_named_once():
    found = words_of("A grey-green Zombie, a zombie's (8k) head!")
    assert found == ["a", "grey", "green", "zombie", "8k", "head"]


def test_a_template_needs_one_place_for_the_prompt():
    with pytest.raises(UserError, match="exactly one"):
        EditorConfig(prompt_template="turn the head into something")
