"""The seed wall: small pictures of heads to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from triptych.errors import check_whole
from triptych.runs import console
from triptych.seeds import check_seeds_from
from triptych.studio.tasks.workshop import Workshop, save_jpeg

PICTURE_SIZE = 160
MOST_HEADS = 48


@dataclass(frozen=True)
class Wall:
    """Previews of the heads of seeds in a row.

    Attributes:
        first: The first seed.
        count: How many, 1 to 48.
    """

    kind: ClassVar[str] = "wall"

    first: int = 0
    count: int = 24

    def __post_init__(self) -> None:
        check_whole("count", self.count, 1, MOST_HEADS)
        check_seeds_from("first", self.first, self.count)

    def title(self) -> str:
        """Return what a person calls it."""
        return f"Heads {self.first} to {self.first + self.count - 1}"

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Render what is not there yet."""
        from triptych.export.pictures import view_pictures
        from triptych.systems.generate.pipeline import GeneratePipeline

        seeds = range(self.first, self.first + self.count)
        pipeline = None
        with console.progress("drawing heads", self.count) as step:
            for seed in seeds:
                file = workshop.workplace.head(seed)
                if not file.is_file():
                    pipeline = pipeline or GeneratePipeline.from_pretrained(device=workshop.device)
                    portrait = pipeline(seed)
                    (picture,) = view_pictures(portrait, portrait.camera, PICTURE_SIZE)
                    save_jpeg(file, picture)
                step()
