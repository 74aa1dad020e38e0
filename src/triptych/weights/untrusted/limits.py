"""What one file may cost: steps, text and copied bytes are counted and end a file that overdoes it.

The figures leave an EG3D training snapshot (three networks, about 110 thousand steps) a wide margin
and keep the worst file that fits them below one gigabyte and a few seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from triptych.errors import UserError

MOST_STEPS = 1_000_000
STEPS_PER_NESTED_FILE = 100
"""What opening a file in the file counts for, besides its own instructions."""
MOST_TEXT_BYTES = 64 << 20
LONGEST_TEXT_BYTES = 1 << 20
"""Longer text stays where it is in the file and is decoded only for what needs it."""
LONGEST_LINE = 1 << 31
"""Of text in protocol 0, which also writes the numbers of tensors so."""
LONGEST_NUMBER_BYTES = 1024
LONGEST_NAME_BYTES = 1024
MOST_DIMENSIONS = 32
LARGEST_SIZE = 2**48
"""Longer than any dimension, offset or length in a file."""
MOST_NESTED_FILES = 1
"""Tensors in a plain pickle are files inside the file; those hold no further ones."""


@dataclass
class Budget:
    """What is left for one file, the files nested in it included.

    Attributes:
        bytes_to_copy: How many bytes may be made that are not already in the file.
        steps: Instructions, and items of containers that are copied.
        text_bytes: Bytes of text decoded.
    """

    bytes_to_copy: int
    steps: int = MOST_STEPS
    text_bytes: int = MOST_TEXT_BYTES

    def take_steps(self, count: int) -> None:
        """Count instructions.

        Raises:
            UserError: There were too many, as with the two methods below.
        """
        self.steps -= count
        if self.steps < 0:
            raise UserError(
                f"the file has more than {MOST_STEPS:,} instructions, more than any checkpoint"
            )

    def take_text(self, count: int) -> None:
        """Count bytes of text that is decoded."""
        self.text_bytes -= count
        if self.text_bytes < 0:
            raise UserError(
                f"the file has more than {MOST_TEXT_BYTES >> 20} MB of text, "
                "more than any checkpoint"
            )

    def take_copy(self, count: int) -> None:
        """Count bytes that are copied out of the file."""
        self.bytes_to_copy -= count
        if self.bytes_to_copy < 0:
            raise UserError("the file unfolds to more data than it holds")


def is_size(value: Any) -> bool:
    """Return whether a value of a file can be a length: a whole number that is not absurd."""
    return type(value) is int and 0 <= value < LARGEST_SIZE
