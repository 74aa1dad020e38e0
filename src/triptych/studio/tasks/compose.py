"""Regions: a head whose hair, eyes or mouth are those of other seeds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from triptych.errors import UserError, check_whole, shown
from triptych.seeds import LAST_AVATAR_SEED
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.workplace import check_id

_CHOICE = re.compile(r"[a-z][a-z-]{0,30}(\.(shape|texture))?=[0-9]{1,5}")


@dataclass(frozen=True)
class Compose:
    """A portrait of regions (CNeRF).

    Attributes:
        seed: Whose head; None to go on from a portrait.
        portrait: Identifier of a portrait of regions in the gallery.
        regions: Regions from other seeds: "hair=7", "eyes.shape=12" or "mouth.texture=5".
    """

    kind: ClassVar[str] = "compose"

    seed: int | None = None
    portrait: str | None = None
    regions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.seed is None) == (self.portrait is None):
            raise UserError("expected a seed, or a portrait to go on from, and not both")
        if self.seed is not None:
            check_whole("seed", self.seed, 0, LAST_AVATAR_SEED)
        if self.portrait is not None:
            check_id(self.portrait)
        for choice in self.regions:
            if not _CHOICE.fullmatch(choice):
                raise UserError(f"regions: got {shown(choice)}; expected such as hair=7")

    def title(self) -> str:
        """Return what a person calls it."""
        head = "Regions" if self.seed is None else f"Seed {self.seed}"
        return ", ".join([head, *self.regions[:3]]) + (", ..." if len(self.regions) > 3 else "")

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Compose, as `triptych compose` does."""
        from triptych.systems.compose.job import ComposeJob
        from triptych.systems.compose.pipeline import RegionChoice

        job = ComposeJob(
            seeds=() if self.seed is None else (self.seed,),
            portrait=None if self.portrait is None else workshop.gallery.file(self.portrait),
            regions=tuple(map(RegionChoice.parsed, self.regions)),
            device=workshop.device,
        )
        job.run(workshop.workplace.portrait(job_id))
        workshop.show(job_id, title=self.title(), kind=self.kind, parent=self.portrait)
