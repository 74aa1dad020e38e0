"""Phrases ask for styles, and reading a phrase finds the styles again."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.avatars.styles.catalogue import STYLES, combinations
from triptych.avatars.styles.phrase_book import STONE_COLOURS, WORDINGS
from triptych.avatars.styles.phrases import (
    DECORATED,
    all_phrases,
    combination_nouns,
    phrases_for,
    sample_phrase,
    styles_in_text,
    unknown_words,
    vocabulary,
)
from triptych.errors import UserError


def test_every_style_has_words_and_every_word_has_a_style():
    assert set(WORDINGS) == set(STYLES)


@pytest.mark.parametrize("name", STYLES)
def test_every_phrase_names_its_style_and_no_other(name):
    phrases = phrases_for(name)
    assert len(phrases) >= 30
    assert len(set(phrases)) == len(phrases)
    wrong = {phrase: styles_in_text(phrase) for phrase in phrases}
    assert {text: found for text, found in wrong.items() if found != (name,)} == {}
    decorated = DECORATED.format(phrases[0])
    assert styles_in_text(decorated) == (name,)


def test_every_combination_has_phrases_that_name_both():
    pairs = combinations()
    assert len(pairs) > 500
    for first, second in pairs:
        nouns = combination_nouns(first, second)
        assert nouns, (first, second)
        for noun in nouns:
            assert set(styles_in_text(noun)) == {first, second}, noun


@pytest.mark.parametrize(
    ("pair", "phrase"),
    [
        (("old", "elf"), "an old elf"),
        (("zombie", "bronze"), "a bronze zombie"),
        (("vampire", "pencil sketch"), "a pencil sketch of a vampire"),
        (("blue stone", "marble"), "a blue marble statue"),
        (("child", "red hair"), "a child with red hair"),
        (("beard", "elf"), "an elf with a beard"),
        (("beard", "old"), "an old person with a beard"),
    ],
)
def test_combinations_are_said_as_people_say_them(pair, phrase):
    assert phrase in combination_nouns(*pair)
    assert phrase in combination_nouns(*reversed(pair))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Turn him into a BRONZE statue!", ("bronze",)),
        ("a blue alien", ("blue alien",)),
        ("a blue statue", ("blue stone",)),
        ("a zombie with red eyes", ("zombie",)),
        ("a demon with red skin", ("demon",)),
        ("black and white", ("black and white photo",)),
        ("a bronze statue of a bronze zombie", ("bronze", "zombie")),
        ("a statue", ("granite",)),
        ("a statue of an elf made out of marble", ("elf", "marble")),
        ("give her wrinkles and white hair", ("old",)),
        ("make-up", ("make-up",)),
        ("hello there", ()),
        ("", ()),
    ],
)
def test_reading_prompts(text, names):
    assert styles_in_text(text) == names


def test_unknown_words_are_named_once_and_in_order():
    assert unknown_words("the Joker, a joker with a bronze hat") == ["joker", "hat"]
    assert unknown_words("please turn her into an old elf") == []
    assert unknown_words("") == []


def test_the_decorations_of_the_method_are_in_the_vocabulary():
    negative = "unclear facial features, non-face objects, ugly, bad"
    assert unknown_words(DECORATED.format("a bronze statue")) == []
    assert unknown_words(negative) == []


def test_vocabulary_is_all_lower_case_words_of_all_phrases():
    words = vocabulary()
    assert {"bronze", "zombie", "wrinkles", "8k", *STONE_COLOURS} <= words
    assert all(word == word.lower() and " " not in word for word in words)
    assert [phrase for phrase in all_phrases() if unknown_words(phrase)] == []


def test_sampling_is_reproducible_and_varied():
    drawn = [sample_phrase(["elf"], np.random.default_rng(seed)) for seed in range(60)]
    again = [sample_phrase(["elf"], np.random.default_rng(seed)) for seed in range(60)]
    assert drawn == again
    assert len(set(drawn)) > 25
    assert all(styles_in_text(phrase) == ("elf",) for phrase in drawn)


def test_a_quarter_of_the_sampled_noun_phrases_is_decorated():
    rng = np.random.default_rng(0)
    decorated = [sample_phrase(["cartoon"], rng).endswith("photorealistic") for _ in range(2000)]
    assert np.mean(decorated) == pytest.approx(0.25, abs=0.04)


def test_sampling_two_styles_names_both():
    rng = np.random.default_rng(1)
    for first, second in combinations()[::37]:
        assert set(styles_in_text(sample_phrase([second, first], rng))) == {first, second}


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "one or two"),
        (["elf", "old", "bald"], "one or two"),
        (["unicorn"], "unicorn"),
        (["elf", "unicorn"], "unicorn"),
        (["elf", "orc"], "cannot be combined"),
        (["elf", "elf"], "cannot be combined"),
        (["bronze", "red hair"], "cannot be combined"),
    ],
)
def test_wrong_names_are_explained(names, complaint):
    with pytest.raises(UserError, match=complaint):
        sample_phrase(names, np.random.default_rng(0))
