"""Phrases that request one or two styles, and the styles that a prompt names.

A phrase is a noun phrase ("an old elf") in a sentence frame ("turn her into {}"). The styles of a
prompt are those of its longest known expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from triptych.avatars.styles.catalogue import STYLES, can_combine
from triptych.avatars.styles.neutral_words import NEUTRAL_WORDS, STOP_WORDS
from triptych.avatars.styles.phrase_book import (
    COLOURED_PARTS,
    STATUE_MATERIAL,
    STATUE_WORDS,
    STONE_COLOURS,
    WORDINGS,
    Wording,
)
from triptych.errors import UserError

# FF3D's decoration of every prompt, and its negative prompt (all words are in NEUTRAL_WORDS).
DECORATED = "turn the head into {}, realistic, detail, 8k, photorealistic"
_DECORATED_SHARE = 0.25

_NOUN_FRAMES = (
    "{}",
    "turn him into {}",
    "turn her into {}",
    "turn the person into {}",
    "turn the head into {}",
    "turn it into {}",
    "turn the face into {}",
    "make him {}",
    "make her {}",
    "make him look like {}",
    "make her look like {}",
    "make it {}",
    "change the head to {}",
    "convert the face to {}",
    "transform this person into {}",
    "as {}",
)
_ADJECTIVE_FRAMES = ("{}", "make him {}", "make her {}", "make the person {}", "make the head {}")
_FEATURE_FRAMES = (
    "{}",
    "with {}",
    "give him {}",
    "give her {}",
    "give the person {}",
    "give the head {}",
)
_WORD = re.compile(r"[a-z0-9]+")


def phrases_for(style_name: str) -> tuple[str, ...]:
    """Return every phrase that requests one style, without decoration.

    Raises:
        UserError: The style is unknown.
    """
    words = _wording(style_name)
    phrases = _framed(_NOUN_FRAMES, (*words.nouns, *map(_without_article, words.nouns[:2])))
    phrases += _framed(_ADJECTIVE_FRAMES, words.adjectives)
    phrases += _framed(_FEATURE_FRAMES, words.features)
    return tuple(dict.fromkeys(phrases))


def combination_nouns(first: str, second: str) -> tuple[str, ...]:
    """Return the noun phrases that request two styles at once, such as "an old elf".

    Raises:
        UserError: A style is unknown or the two cannot be combined.
    """
    for name in (first, second):
        _wording(name)
    if not can_combine(STYLES[first], STYLES[second]):
        raise UserError(f"styles '{first}' and '{second}' cannot be combined")
    outer, inner = sorted((first, second), key=_place_in_sentence)
    nouns = _pair_nouns(outer, inner)
    if STYLES[outer].kind == STYLES[inner].kind == "people":
        nouns += _pair_nouns(inner, outer)
    return tuple(dict.fromkeys(nouns))


def all_phrases() -> tuple[str, ...]:
    """Return the phrases of every single style, and one framed phrase of every combination."""
    phrases = [phrase for name in WORDINGS for phrase in phrases_for(name)]
    names = list(WORDINGS)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            if can_combine(STYLES[first], STYLES[second]):
                phrases += combination_nouns(first, second)
    return tuple(dict.fromkeys(phrases))


def sample_phrase(style_names: Sequence[str], rng: np.random.Generator) -> str:
    """Draw a phrase that requests one style, or two at once.

    A quarter of the noun phrases comes with FF3D's decoration.

    Args:
        style_names: One or two names of STYLES that can be combined.
        rng: Source of randomness.

    Raises:
        UserError: There are not one or two names, one is unknown, or they cannot be combined.
    """
    if len(style_names) not in (1, 2):
        raise UserError(f"styles: got {len(style_names)} names; expected one or two")
    if len(style_names) == 2:
        nouns: tuple[str, ...] = combination_nouns(*style_names)
    else:
        words = _wording(style_names[0])
        nouns = words.nouns
        others = (
            *_framed(_ADJECTIVE_FRAMES, words.adjectives),
            *_framed(_FEATURE_FRAMES, words.features),
        )
        if others and rng.random() < 0.3:
            return _chosen(others, rng)
    frames = (DECORATED,) if rng.random() < _DECORATED_SHARE else _NOUN_FRAMES
    return _chosen(frames, rng).format(_chosen(nouns, rng))


def styles_in_text(text: str) -> tuple[str, ...]:
    """Return the names of the styles that a text names, in the order of their mention.

    At each word the longest known expression wins, so "blue alien" is not blue stone. A statue of
    no material is of granite.
    """
    words = words_of(text)
    expressions = _expressions()
    longest = max(map(len, expressions))
    found: list[str | None] = []
    place = 0
    while place < len(words):
        for length in range(min(longest, len(words) - place), 0, -1):
            expression = tuple(words[place : place + length])
            if expression in expressions:
                found.append(expressions[expression])
                place += length
                break
        else:
            place += 1
    named = list(dict.fromkeys(style for style in found if style is not None))
    is_statue = any(word in words for word in STATUE_WORDS)
    if is_statue and not any(STYLES[name].kind == "material" for name in named):
        named.append(STATUE_MATERIAL)
    return tuple(named)


@cache
def vocabulary() -> frozenset[str]:
    """Return every word of the language, lower case, hyphens split ("make-up" is two words)."""
    words = {word for phrase in all_phrases() for word in words_of(phrase)}
    words |= {word for frame in (*_NOUN_FRAMES, DECORATED) for word in words_of(frame)}
    words |= {word for expression in _expressions() for word in expression}
    return frozenset(words | set(NEUTRAL_WORDS) | STOP_WORDS)


def unknown_words(text: str) -> list[str]:
    """Return the unknown words of a text, each once, in order."""
    known = vocabulary()
    return [word for word in dict.fromkeys(words_of(text)) if word not in known]


def words_of(text: str) -> list[str]:
    """Split a text into lower-case words."""
    return _WORD.findall(text.lower())


@cache
def _expressions() -> dict[tuple[str, ...], str | None]:
    """Return the style that each known expression names; None where it names none ("red eyes").

    Where two styles share an expression, the first style of the phrase book keeps it.
    """
    expressions: dict[tuple[str, ...], str | None] = {}
    for colour in STONE_COLOURS:
        for part in COLOURED_PARTS:
            expressions[colour, part] = None
    for name, words in WORDINGS.items():
        for text in (*words.nouns, *words.adjectives, *words.features, *words.cues):
            expression = tuple(words_of(_without_article(text)))
            if expressions.get(expression) is None:
                expressions[expression] = name
    return expressions


def _pair_nouns(outer: str, inner: str) -> list[str]:
    """Return phrases in which `outer` is the object and `inner` what it shows."""
    thing, shown = _wording(outer), _wording(inner)
    outer_kind, inner_kind = STYLES[outer].kind, STYLES[inner].kind
    if outer_kind == inner_kind == "material":
        colour = next(name for name in STONE_COLOURS if inner == f"{name} stone")
        quality = thing.adjectives[0]
        phrases = [_with_article(f"{colour} {quality} {head}") for head in thing.heads]
        return [*phrases, f"a statue made of {colour} {thing.substance}"]
    if outer_kind == "picture":
        return [f"{picture} of {noun}" for picture in thing.nouns[:3] for noun in shown.nouns[:2]]
    if outer_kind == "material" and inner_kind == "creature":
        head = shown.heads[0]
        return [
            _with_article(f"{thing.adjectives[0]} {head}"),
            f"{thing.nouns[0]} of {_with_article(head)}",
            f"{_with_article(head)} made of {thing.substance}",
        ]
    if outer_kind == "material":
        return [f"{thing.nouns[0]} of {shown.nouns[0]}", f"{thing.nouns[1]} of {shown.nouns[0]}"]
    heads = thing.heads if outer_kind == "creature" else thing.heads[:1]
    phrases = [_with_article(f"{quality} {head}") for quality in shown.adjectives for head in heads]
    return phrases + [f"{thing.nouns[0]} with {feature}" for feature in shown.features]


def _place_in_sentence(name: str) -> tuple[int, bool, int]:
    """Order styles from the object to what it shows; colours come after their material."""
    style = STYLES[name]
    kinds = ("picture", "material", "creature", "people")
    return kinds.index(style.kind), style.is_colour, list(STYLES).index(name)


def _framed(frames: Iterable[str], texts: Iterable[str]) -> list[str]:
    return [frame.format(text) for text in texts for frame in frames]


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def _without_article(noun: str) -> str:
    return re.sub(r"^(a|an) ", "", noun)


def _chosen(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _wording(style_name: str) -> Wording:
    if style_name not in WORDINGS:
        raise UserError(f"style: got '{style_name}'; expected one of {', '.join(WORDINGS)}")
    return WORDINGS[style_name]
