"""Make: the head of a seed becomes a portrait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from triptych.errors import UserError, check_type
from triptych.seeds import check_seed
from triptych.studio.tasks.workshop import Workshop


@dataclass(frozen=True)
class Make:
    """A head of a person who does not exist.

    Attributes:
        seed: Which one.
        refine: Fit it to its avatar: sharp hair, ears and collars, for half a minute.
    """

    kind: ClassVar[str] = "make"

    seed: int = 0
    refine: bool = False

    def __post_init__(self) -> None:
        check_seed("seed", self.seed)
        check_type("refine", self.refine, bool)
        if self.refine and self.seed > 99_999:
            raise UserError(f"seed {self.seed} has no avatar to refine by; expected up to 99999")

    def title(self) -> str:
        """Return what a person calls it."""
        return f"Seed {self.seed}"

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Generate, as `triptych generate` does."""
        from triptych.systems.generate.job import GenerateJob

        folder = workshop.workplace.portrait(job_id)
        GenerateJob((self.seed,), device=workshop.device, refine=self.refine).run(folder)
        workshop.show(job_id, title=self.title(), kind=self.kind)
