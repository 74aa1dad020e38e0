"""Prompts are decorated like the training phrases."""

from __future__ import annotations

import pytest

from triptych.editors.image_editor import (
    FF3D_TEMPLATE,
    LONGEST_PROMPT,
    EditorConfig,
    EditRequest,
)
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


@pytest.mark.parametrize("prompt", ["", "  \n", " .,! ", "x" * (LONGEST_PROMPT + 1)])
def test_prompts_of_no_use_are_refused(prompt):
    with pytest.raises(UserError, match="the prompt is (empty|too long)"):
        EditRequest(prompt)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", -1), ("seed", 2**31), ("text_guidance", -1.0), ("image_guidance", float("nan"))],
)
def test_numbers_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(UserError, match=name):
        EditRequest("an elf", **{name: value})


def test_a_request_replaces_only_what_it_names():
    config = EditorConfig(text_guidance=7.0, num_steps=10)
    request = EditRequest("an elf", 3, num_steps=4, negative_prompt="")
    changed = config.for_request(request)
    assert (changed.text_guidance, changed.num_steps, changed.negative_prompt) == (7.0, 4, "")
    assert request.record() == {
        "prompt": "an elf",
        "seed": 3,
        "negative_prompt": "",
        "num_steps": 4,
    }
