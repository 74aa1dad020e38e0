"""Text of the embedded editor: training instructions and the tokenizer trained on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from triptych.avatars.styles.phrase_book import WORDINGS
from triptych.avatars.styles.phrases import all_phrases, sample_phrase, vocabulary
from triptych.editors.image_editor import FF3D_NEGATIVE_PROMPT, FF3D_TEMPLATE
from triptych.editors.prompt import decorated

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789,.'-!?&:;()\"/"
_END_OF_WORD = "</w>"
_CLOSING = FF3D_TEMPLATE.split("{}")[1]


# Frames of a cue word, before the decoration.
_CUE_FRAMES = ("{}", "make it {}", "a {} person", "a {} head")


class PhraseGrammar:
    """Draws training instructions: phrases for styles, with or without the decoration of inference.

    Attributes:
        decorated_share: Share of the phrases with the editor's decoration.
        cue_share: Share of the phrases for one style that use only a word which suggests it.
    """

    def __init__(self, decorated_share: float = 0.7, cue_share: float = 0.1) -> None:
        self.decorated_share, self.cue_share = decorated_share, cue_share

    def instruction(self, variant: str, rng: np.random.Generator) -> str:
        """Draw an instruction that turns a plain head into a variant ("bronze", "old+elf")."""
        cues = WORDINGS[variant].cues if variant in WORDINGS else ()
        if cues and rng.random() < self.cue_share:
            phrase = str(rng.choice(_CUE_FRAMES)).format(rng.choice(cues))
        else:
            phrase = sample_phrase(variant.split("+"), rng)
        is_bare = not phrase.endswith(_CLOSING)
        if is_bare and rng.random() < self.decorated_share:
            return decorated(phrase, FF3D_TEMPLATE)
        return phrase

    def no_instruction(self, rng: np.random.Generator) -> str:
        """Draw the text of an unconditional sample: the negative prompt or nothing."""
        return FF3D_NEGATIVE_PROMPT if rng.random() < 0.5 else ""

    def corpus(self) -> list[str]:
        """Return the training texts of the tokenizer; deterministic."""
        cues = [
            frame.format(cue)
            for words in WORDINGS.values()
            for cue in words.cues
            for frame in _CUE_FRAMES
        ]
        others = [
            FF3D_NEGATIVE_PROMPT,
            FF3D_TEMPLATE.format("a statue"),
            " ".join(sorted(vocabulary())),
        ]
        return [*all_phrases(), *cues, *others]


def train_tokenizer(corpus: Iterable[str], max_tokens: int, vocabulary_size: int = 1000) -> Any:
    """Train a tokenizer in CLIP's format by byte pair encoding.

    Args:
        corpus: Texts; their frequent words become single tokens.
        max_tokens: Longest text in tokens, begin and end included.
        vocabulary_size: Most tokens.

    Returns:
        transformers' CLIPTokenizer with begin 0 and end (also padding and unknown) 1.
    """
    from tokenizers import Tokenizer, models, trainers
    from transformers import CLIPTokenizer

    clip = CLIPTokenizer(vocab={BEGIN: 0, END: 1}, merges=[]).backend_tokenizer
    learner = Tokenizer(models.BPE(end_of_word_suffix=_END_OF_WORD, unk_token=END))
    # CLIP's own normalisation and splitting, so that training and inference split alike.
    learner.normalizer, learner.pre_tokenizer = clip.normalizer, clip.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[BEGIN, END],
        initial_alphabet=list(_ALPHABET),
        end_of_word_suffix=_END_OF_WORD,
        show_progress=False,
    )
    learner.train_from_iterator(corpus, trainer)
    model = json.loads(learner.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for letter in _ALPHABET:
        vocabulary.setdefault(letter + _END_OF_WORD, len(vocabulary))
    merges = [
        tuple(pair) if isinstance(pair, list) else tuple(pair.split()) for pair in model["merges"]
    ]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=max_tokens)
