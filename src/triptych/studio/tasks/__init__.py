"""What the studio's jobs do: one dataclass per wish, whose fields are what is asked for."""

from __future__ import annotations

from typing import Any, Protocol

from triptych.config import from_dict
from triptych.errors import check_choice
from triptych.studio.tasks.compose import Compose
from triptych.studio.tasks.edit import Edit
from triptych.studio.tasks.export import Export
from triptych.studio.tasks.make import Make
from triptych.studio.tasks.photo import Align, Photo
from triptych.studio.tasks.style import Style
from triptych.studio.tasks.wall import Wall
from triptych.studio.tasks.wear import Wear
from triptych.studio.tasks.workshop import Workshop


class Task(Protocol):
    """Something to be done; its fields are checked when it is made."""

    kind: str

    def title(self) -> str:
        """Return what a person calls it."""

    def run(self, workshop: Workshop, job_id: str) -> None:
        """Do it.

        Raises:
            UserError: It cannot be done; the message says why.
        """


TASKS: dict[str, type] = {
    task.kind: task for task in (Wall, Make, Style, Edit, Wear, Compose, Align, Photo, Export)
}
"""By the name of their kind."""


def task_of(kind: str, settings: Any) -> Task:
    """Return a task from JSON values.

    Raises:
        UserError: There is none of this kind, or its settings do not fit.
    """
    check_choice("kind", kind, TASKS)
    return from_dict(TASKS[kind], settings)
