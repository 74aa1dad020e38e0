"""Prompts of an image editor: decorated as it was trained, checked against what it knows."""

from __future__ import annotations

import difflib
import re
import unicodedata

from triptych.editors.image_editor import EditorConfig
from triptych.errors import UserError, shown

_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
# A prompt that begins with one of these is a whole instruction, not the name of a result.
_INSTRUCTION_VERBS = (
    *("add", "change", "convert", "draw", "dye", "give", "make", "paint", "put", "remove"),
    *("render", "transform", "turn", "zombify"),
)


def decorated(prompt: str, template: str) -> str:
    """Put a prompt into the editor's sentence.

    A name ("a bronze statue") takes the place of {}. A whole instruction ("make him old") replaces
    the sentence up to {} and keeps what follows it.
    """
    words = prompt.strip().rstrip(".,;!")
    opening, closing = template.split("{}")
    first_word = words.split(maxsplit=1)[0].lower()
    return words + closing if first_word in _INSTRUCTION_VERBS else opening + words + closing


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, in order, each once; hyphens part words."""
    return list(dict.fromkeys(_WORD.findall(_POSSESSIVE.sub("", text.lower()))))


def check_language(prompt: str, config: EditorConfig) -> None:
    """Check that an editor which was trained with some English words is asked in words of English.

    Raises:
        UserError: The prompt has words in letters that English has not, or no words.
    """
    if config.vocabulary is None:
        return
    words = words_of(prompt)
    foreign = [word for word in words if not _without_accents(word).isascii()]
    if foreign or not words:
        got = shown(" ".join(foreign) or prompt)
        raise UserError(
            f"the embedded editor knows English words only: got {got}; say it in English, for "
            'instance "a bronze statue", or take an editor that was trained with more, such as '
            "instruct-pix2pix"
        )


def unknown_words(prompt: str, config: EditorConfig) -> list[str]:
    """Return the words of a prompt that the editor was never trained with."""
    if config.vocabulary is None:
        return []
    known = set(config.vocabulary)
    return [word for word in words_of(prompt) if word not in known]


def prompt_notes(prompt: str, config: EditorConfig) -> list[str]:
    """Return a note when the editor does not know some words, with what it does know."""
    unknown = unknown_words(prompt, config)
    if not unknown:
        return []
    named = ", ".join(f"'{word}'{_closest(word, config)}" for word in unknown)
    noun = "this word" if len(unknown) == 1 else "these words"
    return [
        f"the embedded editor was never trained with {noun}, which will have little or no effect: "
        f"{named}. It knows: {', '.join(config.known_styles)}"
    ]


def _without_accents(word: str) -> str:
    """Return a word with letters such as e acute as plain ones."""
    parts = unicodedata.normalize("NFKD", word)
    return "".join(part for part in parts if not unicodedata.combining(part))


def _closest(word: str, config: EditorConfig) -> str:
    close = difflib.get_close_matches(word, config.vocabulary or (), n=1, cutoff=0.75)
    return f" (did you mean '{close[0]}'?)" if close else ""
