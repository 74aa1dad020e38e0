"""One pass: a portrait of the gallery becomes what words or a picture show, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from triptych.editors.image_editor import EditRequest
from triptych.errors import UserError, check_range
from triptych.studio.tasks.photo import uploaded
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.workplace import check_id


@dataclass(frozen=True)
class Edit:
    """A portrait, edited in one pass (3DPE).

    Attributes:
        portrait: Identifier of the portrait in the gallery.
        prompt: What it becomes, in words.
        picture: Identifier of an uploaded picture in the wanted style, instead of words.
        strength: 0 is the portrait as it is, 1 the whole edit.
    """

    kind: ClassVar[str] = "edit"

    portrait: str
    prompt: str | None = None
    picture: str | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_id(self.portrait)
        if (self.prompt is None) == (self.picture is None):
            raise UserError("expected a prompt or a picture, and not both")
        if self.prompt is not None:
            EditRequest(self.prompt)
        if self.picture is not None:
            check_id(self.picture)
        check_range("strength", self.strength, 0.0, 1.0)

    def title(self) -> str:
        """Return what a person calls it."""
        if self.prompt is None:
            return "In the style of a picture"
        return f"{' '.join(self.prompt.split())} (first look)"

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Edit, as `triptych edit` does."""
        from triptych.photos.picture_source import PictureSource
        from triptych.systems.edit.job import EditJob

        job = EditJob(
            prompt=self.prompt,
            reference=None if self.picture is None else uploaded(workshop, self.picture),
            strength=self.strength,
            device=workshop.device,
        )
        source = PictureSource("portrait", workshop.gallery.file(self.portrait))
        job.run(source, workshop.workplace.portrait(job_id), overwrite=False)
        workshop.show(job_id, title=self.title(), kind=self.kind, parent=self.portrait)
