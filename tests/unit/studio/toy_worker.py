"""A worker process with tasks that need no models: `python -m toy_worker FOLDER DEVICE`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import UserError
from triptych.runs import console
from triptych.studio.child_side import Line
from triptych.studio.gallery import Gallery
from triptych.studio.tasks import TASKS
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.worker import Worker
from triptych.studio.workplace import Workplace


@dataclass(frozen=True)
class Toy:
    """Does one of several things that jobs do."""

    what: str
    kind = "toy"

    def title(self) -> str:
        return self.what

    def run(self, workshop: Workshop, job_id: str) -> None:
        if self.what == "well":
            console.note("by the way")
            with console.progress("counting", 3) as step:
                for _ in range(3):
                    step()
        elif self.what == "wrong":
            raise UserError("the words are wrong; use others")
        elif self.what == "broken":
            raise RuntimeError("a secret of the inside")
        elif self.what == "long":
            with console.progress("waiting", 2) as step:
                step()
                time.sleep(60)
        elif self.what == "deaf":
            console.note("begun")
            while True:
                try:
                    time.sleep(60)
                except KeyboardInterrupt:
                    continue
        else:
            os._exit(3)


if __name__ == "__main__":
    TASKS["toy"] = Toy
    Worker(Line(), Workshop(Gallery(Workplace(Path(sys.argv[1]))), device=None)).serve()
