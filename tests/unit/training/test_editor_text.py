"""The editor's language: what is said in training is what is said at inference."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.avatars.styles.catalogue import STYLES
from triptych.avatars.styles.phrases import vocabulary
from triptych.editors.image_editor import FF3D_NEGATIVE_PROMPT, FF3D_TEMPLATE
from triptych.editors.prompt import decorated, words_of
from triptych.training.editor.text import PhraseGrammar, train_tokenizer

LIMIT = 40


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(PhraseGrammar().corpus(), LIMIT)


def test_round_trip(tokenizer):
    text = "turn the head into a bronze statue, realistic, detail, 8k, photorealistic"
    ids = tokenizer(text).input_ids
    assert (ids[0], ids[-1]) == (0, 1)
    assert tokenizer.decode(ids, skip_special_tokens=True) == text.replace(",", " ,").replace(
        "8k", "8 k"
    )


def test_common_words_are_single_tokens(tokenizer):
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("a bronze zombie").input_ids)
    assert tokens[1:-1] == ["a</w>", "bronze</w>", "zombie</w>"]


def test_every_instruction_fits_and_has_no_unknown_token(tokenizer):
    rng = np.random.default_rng(0)
    grammar = PhraseGrammar()
    for variant in [*STYLES, "old+elf", "bronze+oil painting"]:
        text = grammar.instruction(variant, rng)
        ids = tokenizer(decorated(text.split(",")[0], FF3D_TEMPLATE)).input_ids
        assert len(ids) <= LIMIT
        assert ids.count(1) == 1, text


def test_saved_tokenizer_says_the_same(tokenizer, tmp_path):
    from transformers import CLIPTokenizer

    tokenizer.save_pretrained(str(tmp_path))
    loaded = CLIPTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    for text in ("make him old", FF3D_NEGATIVE_PROMPT, "", "qwzx 77!"):
        assert loaded(text).input_ids == tokenizer(text).input_ids
    padded = loaded("an elf", padding="max_length", max_length=LIMIT).input_ids
    assert len(padded) == LIMIT
    assert set(padded[4:]) == {1}


def test_training_decorates_as_inference_does():
    rng = np.random.default_rng(1)
    closing = FF3D_TEMPLATE.split("{}")[1]
    always = PhraseGrammar(decorated_share=1.0)
    texts = [always.instruction("zombie", rng) for _ in range(50)]
    assert all(text.endswith(closing) and text.count(closing) == 1 for text in texts)
    bare = PhraseGrammar(decorated_share=0.0, cue_share=0.0)
    assert any(closing not in bare.instruction("zombie", rng) for _ in range(20))


def test_the_grammar_uses_no_word_outside_the_vocabulary():
    rng = np.random.default_rng(2)
    grammar = PhraseGrammar(cue_share=0.5)
    known = vocabulary()
    for variant in STYLES:
        for _ in range(5):
            assert set(words_of(grammar.instruction(variant, rng))) <= known


def test_withheld_instructions_are_empty_or_the_negative_prompt():
    rng = np.random.default_rng(3)
    texts = {PhraseGrammar().no_instruction(rng) for _ in range(40)}
    assert texts == {"", FF3D_NEGATIVE_PROMPT}
