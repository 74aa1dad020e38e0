"""Wear: the head of a seed in the style of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from triptych.errors import check_range
from triptych.seeds import check_seed
from triptych.studio.tasks.photo import uploaded
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.workplace import check_id

_LARGEST_STRENGTH = 2.0


@dataclass(frozen=True)
class Wear:
    """A head of the generator that wears a style (PStyle-3D).

    Attributes:
        seed: Whose head.
        picture: Identifier of an uploaded picture in the wanted style.
        geometry: How much of the style in the shapes, 0 to 2.
        appearance: How much of it on the surface, 0 to 2.
    """

    kind: ClassVar[str] = "wear"

    seed: int
    picture: str
    geometry: float = 1.0
    appearance: float = 1.0

    def __post_init__(self) -> None:
        check_seed("seed", self.seed)
        check_id(self.picture)
        check_range("geometry", self.geometry, 0.0, _LARGEST_STRENGTH)
        check_range("appearance", self.appearance, 0.0, _LARGEST_STRENGTH)

    def title(self) -> str:
        """Return what a person calls it."""
        return f"Seed {self.seed} in the style of a picture"

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Generate, as `triptych generate --style` does."""
        from triptych.models.style_strength import StyleStrength
        from triptych.runs.style_source import StyleSource
        from triptych.systems.generate.job import GenerateJob

        job = GenerateJob(
            (self.seed,),
            device=workshop.device,
            style=StyleSource(uploaded(workshop, self.picture)),
            strength=StyleStrength(self.geometry, self.appearance),
        )
        job.run(workshop.workplace.portrait(job_id))
        workshop.show(job_id, title=self.title(), kind=self.kind)
