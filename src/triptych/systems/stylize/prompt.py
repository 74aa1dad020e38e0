"""What a prompt must be, whoever edits; cheap enough to ask before anything is loaded."""

from __future__ import annotations

from triptych.errors import UserError, check_type

LONGEST_PROMPT = 1000


def check_prompt(prompt: str) -> None:
    """Refuse prompts that no editor could use.

    Raises:
        UserError: The prompt is no text, empty or longer than 1000 characters.
    """
    check_type("prompt", prompt, str)
    if not prompt.strip():
        raise UserError('the prompt is empty; say what the head becomes, for instance "a zombie"')
    if len(prompt) > LONGEST_PROMPT:
        raise UserError(
            f"the prompt is too long: got {len(prompt)} characters; "
            f"expected at most {LONGEST_PROMPT}; shorten it"
        )
