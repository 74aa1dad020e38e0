"""A checkpoint of another program: its networks, the system it belongs to, and its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.weights.checkpoint_sections import Section, contents_in_words, sections_of
from triptych.weights.known_systems import system_of
from triptych.weights.untrusted.inert import GlobalName, InertObject
from triptych.weights.untrusted.known_calls import is_plain
from triptych.weights.untrusted.untrusted_file import UntrustedFile, read_untrusted

_OF_PARALLEL_TRAINING = "module."
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class ForeignCheckpoint:
    """A checkpoint, described without running anything in it; its tensors are not read.

    Attributes:
        file: The file.
        sections: Its networks by name; "" where the file holds a single network.
        system: The published system it belongs to; None if none is recognised.
    """

    file: UntrustedFile
    sections: Mapping[str, Section]
    system: str | None

    def contents_in_words(self) -> str:
        """Describe the contents of the file, for a message."""
        return contents_in_words(self.file.content, self.sections)

    def refuse_foreign_names(self) -> None:
        """Check that a torch file names nothing but data.

        Raises:
            UserError: It names classes or functions of other programs.
        """
        foreign = sorted(str(name) for name in self.file.names if not is_plain(name))
        if foreign:
            more = ", ..." if len(foreign) > _SHOWN else ""
            raise UserError(
                f"{self.file.path} names {', '.join(foreign[:_SHOWN])}{more}, "
                "which a file of tensors and settings does not need; nothing of it was run; "
                "only such files, and EG3D's own pickles, are converted"
            )

    def record(self) -> dict[str, Any]:
        """Return the identity of the file, for the provenance of a converted network."""
        return {
            "converted_from": self.file.path.name,
            "form": self.file.form,
            "sha256": self.file.sha256,
            "system": self.system,
        }

    def lines(self, official: str | None = None) -> list[tuple[str, str]]:
        """Return the identity of the file, for a report, as (what, value).

        Args:
            official: The published file with the same hash.
        """
        file = self.file
        return [
            ("file", f"{file.path}, {file.form}, {file.num_bytes / 1e6:.1f} MB"),
            ("sha256", f"{file.sha256} ({official or 'no hash that is publicly stated'})"),
        ]


def read_checkpoint(path: str | Path) -> ForeignCheckpoint:
    """Describe a pickle or a file that torch.save wrote; run nothing in it.

    Raises:
        UserError: The file is absent, broken or no checkpoint, or it names functions that no
            checkpoint needs.
    """
    file = read_untrusted(path)
    file.refuse_dangerous_names()
    try:
        sections = sections_of(file.content)
    except UserError as error:
        raise UserError(f"{file.path} cannot be read: {error}") from error
    shapes = {
        name.removeprefix(_OF_PARALLEL_TRAINING): shape
        for section in sections.values()
        for name, shape in section.shapes.items()
    }
    system = system_of(shapes)
    if system is None and _is_of_tensorflow(file.content):
        system = "StyleGAN for TensorFlow"
    return ForeignCheckpoint(file, sections, system)


def _is_of_tensorflow(content: Any) -> bool:
    networks = content if type(content) is tuple else ()
    return any(
        isinstance(item, InertObject)
        and isinstance(item.callee, GlobalName)
        and item.module.startswith("dnnlib.tflib")
        for item in networks[:8]
    )
