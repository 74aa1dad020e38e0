"""The text encoder of an image editor: prompts to states of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.editors.files import load_text_parts
from triptych.editors.image_editor import EditorConfig
from triptych.editors.prompt import check_language, decorated, prompt_notes
from triptych.errors import UserError, shown


class PromptEncoder:
    """Encodes texts as an editor does; each text is encoded once.

    Args:
        tokenizer: In CLIP's format.
        text_encoder: In evaluation mode.
        config: The editor's settings: sentence, longest text, vocabulary.
    """

    def __init__(self, tokenizer: Any, text_encoder: Any, config: EditorConfig) -> None:
        self.tokenizer, self.text_encoder, self.config = tokenizer, text_encoder, config
        self._known: dict[str, Tensor] = {}

    @classmethod
    def from_pretrained(cls, name_or_folder: str | Path) -> PromptEncoder:
        """Load the text encoder of an editor of `triptych models`, or of one in a folder."""
        return cls(*load_text_parts(name_or_folder))

    @property
    def width(self) -> int:
        """Width of a state."""
        return int(self.text_encoder.config.hidden_size)

    def to(self, device: torch.device | str) -> PromptEncoder:
        """Move the text encoder to a device and return self."""
        self.text_encoder.to(device)
        self._known.clear()
        return self

    def prompt(self, prompt: str) -> Tensor:
        """Return the states [1, tokens, width] of a prompt in the editor's sentence.

        Raises:
            UserError: It is too long, or in another language than the editor knows.
        """
        check_language(prompt, self.config)
        return self.states(decorated(prompt, self.config.prompt_template))

    def notes_for(self, prompt: str) -> list[str]:
        """Return a note on words that the encoder was never trained with."""
        return prompt_notes(prompt, self.config)

    @torch.no_grad()
    def states(self, text: str, name: str = "prompt with its decoration") -> Tensor:
        """Return the states [1, tokens, width] of a whole text, padded to the longest.

        Args:
            text: The text.
            name: What errors call it.
        """
        if text not in self._known:
            limit = self.config.max_prompt_tokens
            tokens = self.tokenizer(text, verbose=False).input_ids
            if len(tokens) > limit:
                raise UserError(
                    f"the {name} is too long: {len(tokens)} tokens ({shown(text)}); "
                    f"expected at most {limit}; shorten it"
                )
            padded = self.tokenizer(
                text, padding="max_length", max_length=limit, return_tensors="pt"
            )
            device = next(self.text_encoder.parameters()).device
            states = self.text_encoder(padded.input_ids.to(device)).last_hidden_state
            self._known[text] = states.float()
        return self._known[text]
