"""Export: a portrait in the formats of other programs, packed into one zip file."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from triptych.errors import UserError, check_choice
from triptych.files import atomic_write
from triptych.runs import console
from triptych.runs.portrait_formats import FORMATS
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.workplace import check_id

_MOST_NAMED = 3


@dataclass(frozen=True)
class Export:
    """Files of a portrait.

    Attributes:
        portrait: Identifier of the portrait in the gallery.
        formats: Names of `portrait_formats.FORMATS`.
    """

    kind: ClassVar[str] = "export"

    portrait: str
    formats: tuple[str, ...] = ("page", "glb", "video")

    def __post_init__(self) -> None:
        check_id(self.portrait)
        if not self.formats or len(set(self.formats)) != len(self.formats):
            raise UserError("formats: expected at least one, and none twice")
        for name in self.formats:
            check_choice("format", name, FORMATS)

    def title(self) -> str:
        """Return what a person calls it."""
        more = len(self.formats) - _MOST_NAMED
        named = ", ".join(self.formats[:_MOST_NAMED])
        return f"Export: {named}" + (f" and {more} more" if more > 0 else "")

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Write each format and pack them."""
        from triptych.portrait import Portrait

        source = workshop.gallery.file(self.portrait)
        portrait = Portrait.load(source, workshop.device)
        target = workshop.workplace.export(job_id)
        with (
            TemporaryDirectory(prefix=".packing-", dir=target.parent) as folder,
            console.stages() as progress,
        ):
            made = []
            for number, name in enumerate(self.formats):
                progress("writing files", number, len(self.formats))
                written = FORMATS[name].write(portrait, Path(folder), progress)
                made += written
            progress("writing files", len(self.formats), len(self.formats))
            with atomic_write(target) as stream, zipfile.ZipFile(stream, "w") as archive:
                for file in made:
                    archive.write(file, file.relative_to(folder).as_posix())
        workshop.workplace.prune()
