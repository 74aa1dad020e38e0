"""Prompts are decorated like the training phrases."""

from __future__ import annotations

import pytest

from triptych.editors.image_editor import (
    FF3D_TEMPLATE,
    LONGEST_PROMPT,
    EditorConfig,
    EditRequest,
)
from triptych.editors.prompt import check_language, decorated, words_of
from triptych.errors import UserError

BRONZE_STATUE_IN_RUSSIAN = (
    "\u0431\u0440\u043e\u043d\u0437\u043e\u0432\u0430\u044f \u0441\u0442\u0430\u0442\u0443\u044f"
)


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
    [
        ("seed", -1),
        ("seed", 2**32),
        ("seed", 7.0),
        ("text_guidance", -1.0),
        ("image_guidance", float("nan")),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(UserError, match=name):
        EditRequest("an elf", **{name: value})


@pytest.mark.parametrize("text", ["a \udcff b", "\ud800"])
def test_bytes_that_are_no_text_are_refused(text):
    with pytest.raises(UserError, match="the prompt is no text"):
        EditRequest(text)
    with pytest.raises(UserError, match="the negative prompt is no text"):
        EditRequest("an elf", negative_prompt=text)


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        (BRONZE_STATUE_IN_RUSSIAN, BRONZE_STATUE_IN_RUSSIAN),
        (f"a bronze {BRONZE_STATUE_IN_RUSSIAN}", BRONZE_STATUE_IN_RUSSIAN),
        ("\u9752\u9285\u50cf", "\u9752\u9285\u50cf"),
        ("wei\u00df", "wei\u00df"),
        ("\U0001f5ff", "\U0001f5ff"),
    ],
)
def test_an_editor_of_few_words_says_that_it_knows_english_only(prompt, named):
    embedded = EditorConfig(vocabulary=("a", "bronze", "statue"))
    with pytest.raises(UserError, match="the embedded editor knows English words only") as refused:
        check_language(EditRequest(prompt).prompt, embedded)
    assert f"got '{named}'" in str(refused.value)


@pytest.mark.parametrize("prompt", ["a bronze statue", "a pirate", "a Caf\u00e9 \U0001f5ff", "7"])
def test_unknown_english_words_accents_and_emoji_beside_words_are_no_other_language(prompt):
    check_language(EditRequest(prompt).prompt, EditorConfig(vocabulary=("a", "bronze", "statue")))


def test_an_editor_of_language_at_large_takes_every_language():
    check_language(EditRequest(BRONZE_STATUE_IN_RUSSIAN).prompt, EditorConfig())
    check_language(EditRequest("\U0001f5ff").prompt, EditorConfig())


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
