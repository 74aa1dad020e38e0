"""Limits of what reading one file may cost: instructions, decoded text and copied bytes.

The figures leave an EG3D training snapshot (three networks, about 110 thousand steps) a wide margin
and keep the worst file that fits them below one gigabyte and a few seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from triptych.errors import UserError

MAX_STEPS = 1_000_000
STEPS_PER_NESTED_FILE = 100
"""What opening a file in the file counts for, besides its own instructions."""
MAX_TEXT_BYTES = 64 << 20
LONGEST_TEXT_BYTES = 1 << 20
"""Longer text stays where it is in the file and is decoded only for what needs it."""
LONGEST_LINE = 1 << 29
"""Of text in protocol 0, which also writes the numbers of tensors so."""
LONGEST_NUMBER_BYTES = 1024
LONGEST_NAME_BYTES = 1024
MAX_DIMENSIONS = 32
LARGEST_SIZE = 2**48
"""Longer than any dimension, offset or length in a file."""
LARGEST_FILE = 8 << 30
"""Larger than Stable Diffusion with its training state; a sparse file costs its sender nothing."""
LARGEST_PICKLE = 1 << 28
"""Of an archive, whose tensors are beside it."""
LARGEST_COPY = 1 << 30
MAX_IDLE_BYTES = 1 << 20
"""Bytes of a file that belong to nothing in it."""
MAX_NESTED_FILES = 1
"""Tensors in a plain pickle are files inside the file; those hold no further ones."""


def check_no_idle_bytes(count: int) -> None:
    """Check how many bytes of a file belong to nothing in it.

    Raises:
        UserError: So many that reading and hashing them would be the point of the file.
    """
    if count > MAX_IDLE_BYTES:
        raise UserError(f"{count:,} bytes of the file belong to nothing in it; padded or damaged")


@dataclass
class Budget:
    """The remaining budget of one file, including the files nested in it.

    Attributes:
        bytes_to_copy: Bytes that may be allocated beyond those in the file.
        steps: Instructions, and items of containers that are copied.
        text_bytes: Bytes of text decoded.
    """

    bytes_to_copy: int
    steps: int = MAX_STEPS
    text_bytes: int = MAX_TEXT_BYTES

    def take_steps(self, count: int) -> None:
        """Count instructions.

        Raises:
            UserError: There were too many, as with the two methods below.
        """
        self.steps -= count
        if self.steps < 0:
            raise UserError(
                f"the file has more than {MAX_STEPS:,} instructions, more than any checkpoint"
            )

    def take_text(self, count: int) -> None:
        """Count bytes of text that is decoded."""
        self.text_bytes -= count
        if self.text_bytes < 0:
            raise UserError(
                f"the file has more than {MAX_TEXT_BYTES >> 20} MB of text, "
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
