"""The studio: folder, queue, gallery, uploads and worker, opened and closed together."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from triptych.folder_lock import FolderLock
from triptych.studio.gallery import Gallery
from triptych.studio.job import Job
from triptych.studio.job_queue import JobQueue, Runner
from triptych.studio.systems import check_here
from triptych.studio.tasks import task_of
from triptych.studio.uploads import Uploads
from triptych.studio.worker_process import WorkerProcess
from triptych.studio.workplace import Workplace


class Studio:
    """What all front ends of one folder share.

    Args:
        folder: Where everything is kept; it and its parents are made.
        device: Where networks compute.
        runner: Runs jobs; a worker process by default.

    Raises:
        UserError: The folder cannot be written, or another studio has it open.
    """

    def __init__(self, folder: Path, device: str = "auto", runner: Runner | None = None) -> None:
        self.workplace = Workplace(folder.absolute())
        self.workplace.make()
        self._lock = FolderLock(folder)
        for path in self.workplace.leftovers():
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._worker = WorkerProcess(self.workplace.folder, device) if runner is None else None
        chosen = runner if self._worker is None else self._worker
        assert chosen is not None
        self.queue = JobQueue(self.workplace, chosen)
        self.gallery = Gallery(self.workplace)
        self.uploads = Uploads(self.workplace)

    def start(self) -> None:
        """Begin to work."""
        if self._worker is not None:
            self._worker.start()
        self.queue.start()

    def ask(self, kind: str, settings: dict[str, Any]) -> Job:
        """Queue a task.

        Raises:
            UserError: Its settings do not fit, or what it works on is not here.
            QueueFull: Too many jobs wait.
        """
        task = task_of(kind, settings)
        check_here(kind)
        if settings.get("portrait") is not None:
            self.gallery.record(settings["portrait"])
        for name in ("photo", "picture"):
            if settings.get(name) is not None:
                self.uploads.find(settings[name])
        return self.queue.add(kind, settings, task.title())

    def close(self) -> None:
        """End the running job, which can go on later, and let others have the folder."""
        self.queue.stop()  # or the next job begins when the running one is ended
        if self._worker is not None:
            self._worker.close()
        self.queue.close()
        self.uploads.close()
        self._lock.release()
