"""My photo: what alignment finds in it, and the portrait that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

from triptych.errors import UserError, check_choice, check_whole
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.workplace import check_id

Method = Literal["likeness", "avatar"]
Quality = Literal["draft", "standard"]
_MOST_FACES = 20


@dataclass(frozen=True)
class Align:
    """A picture of what alignment finds in a photo.

    Attributes:
        photo: Identifier of the uploaded photo.
        face: Which face: 1 is the largest.
    """

    kind: ClassVar[str] = "align"

    photo: str
    face: int = 1

    def __post_init__(self) -> None:
        check_id(self.photo)
        check_whole("face", self.face, 1, _MOST_FACES)

    def title(self) -> str:
        """Return what a person calls it."""
        return "Face in the photo"

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Align, as `triptych align` does."""
        from triptych.export.pictures import save_png
        from triptych.photos.aligner import PhotoAligner
        from triptych.photos.overlay import alignment_overlay
        from triptych.photos.photo import read_photo
        from triptych.runs import console
        from triptych.weights.framing_of_model import framing_of_model

        photo = read_photo(uploaded(workshop, self.photo))
        aligner = PhotoAligner(framing_of_model("avatar"), size=256).to(workshop.device)
        aligned, faces = aligner.align_one_of(photo, face=self.face)
        for note in aligned.notes:
            console.warn(note)
        overlay = alignment_overlay(photo.pixels, aligned, faces)
        save_png(workshop.workplace.aligned(job_id), overlay)


@dataclass(frozen=True)
class Photo:
    """A portrait of the person in a photo.

    Attributes:
        photo: Identifier of the uploaded photo.
        method: "likeness": an avatar warped to the photo, with its colours (lift); "avatar": the
            most similar head of the generator (3DpSp).
        quality: Of a likeness: draft takes half the time.
        face: Which face: 1 is the largest.
    """

    kind: ClassVar[str] = "photo"

    photo: str
    method: Method = "likeness"
    quality: Quality = "draft"
    face: int = 1

    def __post_init__(self) -> None:
        check_id(self.photo)
        check_choice("method", self.method, get_args(Method))
        check_choice("quality", self.quality, get_args(Quality))
        check_whole("face", self.face, 1, _MOST_FACES)

    def title(self) -> str:
        """Return what a person calls it."""
        return "Likeness of a photo" if self.method == "likeness" else "Avatar of a photo"

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Lift or invert, as the verbs of these names do."""
        from triptych.photos.picture_source import PictureSource

        path = uploaded(workshop, self.photo)
        source = PictureSource("photo.png", path)
        folder = workshop.workplace.portrait(job_id)
        if self.method == "likeness":
            from triptych.systems.lift.job import LiftJob
            from triptych.systems.lift.settings import preset

            lift = LiftJob(
                "avatar", "auto", self.face, False, preset(self.quality), device=workshop.device
            )
            lift.run(source, folder, overwrite=False)
        else:
            from triptych.systems.invert.job import InvertJob
            from triptych.systems.invert.settings import schedule

            invert = InvertJob(
                "avatar", "avatar-psp", "auto", self.face, schedule("short"), workshop.device
            )
            invert.run(source, folder, overwrite=False)
        workshop.show(job_id, title=self.title(), kind=self.kind)


def uploaded(workshop: Workshop, name: str) -> Path:
    """Return the file of an uploaded photo.

    Raises:
        UserError: It is there no more.
    """
    file = workshop.workplace.upload(name)
    if not file.is_file():
        raise UserError("the photo is no longer here; upload it again")
    return file
