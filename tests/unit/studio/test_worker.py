"""Jobs in a process of their own: heard, told to end, killed, and none of it ends the studio."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from triptych.studio.job import Job
from triptych.studio.job_queue import JobCancelled, JobFailed, JobInterrupted
from triptych.studio.worker import Worker
from triptych.studio.worker_process import WorkerProcess

NAME = "20260101-000000-00000000"
PATIENCE_S = 60.0


class Heard:
    """Keeps what is heard of a job."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.notes: list[str] = []
        self.anything = threading.Event()

    def progress(self, stage: str, done: int, total: int) -> None:
        self.steps.append((stage, done, total))
        self.anything.set()

    def said(self, text: str) -> None:
        self.notes.append(text)
        self.anything.set()


@pytest.fixture(scope="module")
def worker(tmp_path_factory) -> Iterator[WorkerProcess]:
    before = os.environ.get("PYTHONPATH")
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, before]))
    process = WorkerProcess(tmp_path_factory.mktemp("studio"), grace_s=1.0, module="toy_worker")
    yield process
    process.close()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def toy(what: str) -> Job:
    return Job(NAME, "toy", {"what": what}, what)


def run_and_cancel(worker: WorkerProcess, what: str) -> BaseException:
    heard, found = Heard(), []

    def run() -> None:
        try:
            worker.run(toy(what), heard)
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert heard.anything.wait(PATIENCE_S)
    worker.cancel("20260101-000000-ffffffff")  # another job: nothing ends
    time.sleep(0.1)
    assert thread.is_alive()
    worker.cancel(NAME)
    thread.join(PATIENCE_S)
    (error,) = found
    return error


def test_a_job_is_heard_and_ends_well(worker):
    heard = Heard()
    worker.run(toy("well"), heard)
    assert heard.steps[0] == ("counting", 0, 3)
    assert heard.steps[-1] == ("counting", 3, 3)
    assert heard.notes == ["by the way"]


def test_errors_come_in_words_and_the_inside_stays_inside(worker):
    with pytest.raises(JobFailed, match="^the words are wrong; use others$"):
        worker.run(toy("wrong"), Heard())
    with pytest.raises(JobFailed, match="internal error") as caught:
        worker.run(toy("broken"), Heard())
    assert "secret" not in str(caught.value)


def test_a_job_that_is_told_to_end_ends_and_the_next_one_runs(worker):
    assert isinstance(run_and_cancel(worker, "long"), JobCancelled)
    heard = Heard()
    worker.run(toy("well"), heard)
    assert heard.steps[-1] == ("counting", 3, 3)


def test_an_order_to_end_hits_its_own_job_once_and_nothing_after_it():
    worker = Worker(line=None, workshop=None)
    worker._cancelled = "first"
    worker._interrupted()  # the job has ended
    worker._interruptible = "second"
    worker._interrupted()
    worker._interruptible = "first"
    with pytest.raises(KeyboardInterrupt):
        worker._interrupted()
    worker._interrupted()


@pytest.mark.thorough
def test_a_deaf_job_is_killed_and_a_dying_one_is_interrupted(worker):
    assert isinstance(run_and_cancel(worker, "deaf"), JobInterrupted)
    with pytest.raises(JobInterrupted, match="status 3"):
        worker.run(toy("dies"), Heard())
    heard = Heard()
    worker.run(toy("well"), heard)
    assert heard.steps[-1] == ("counting", 3, 3)
