"""Style by words: a portrait of the gallery becomes what a line of text says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from triptych.editors.image_editor import EditRequest
from triptych.errors import check_choice
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.workplace import check_id

Quality = Literal["draft", "standard", "high"]


@dataclass(frozen=True)
class Style:
    """A portrait, stylised (FF3D).

    Attributes:
        portrait: Identifier of the portrait in the gallery.
        prompt: What it becomes ("a bronze statue"), or an instruction ("make him old").
        quality: draft, standard or high: more views and steps cost more time.
        seed: Another one gives another rendition of the same words.
    """

    kind: ClassVar[str] = "style"

    portrait: str
    prompt: str
    quality: Quality = "draft"
    seed: int = 0

    def __post_init__(self) -> None:
        check_id(self.portrait)
        check_choice("quality", self.quality, get_args(Quality))
        EditRequest(self.prompt, self.seed)

    def title(self) -> str:
        """Return what a person calls it."""
        return " ".join(self.prompt.split())

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Stylise, as `triptych stylize` does."""
        from triptych.systems.stylize.job import StylizeJob
        from triptych.systems.stylize.settings import preset

        job = StylizeJob(
            EditRequest(self.prompt, self.seed),
            workshop.gallery.file(self.portrait),
            preset(self.quality, {}),
            device=workshop.device,
        )
        job.run(workshop.workplace.portrait(job_id))
        workshop.show(job_id, title=self.title(), kind=self.kind, parent=self.portrait)
