"""The queue: order, cancelling, going on, and what is left of it after a restart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from triptych.errors import UserError
from triptych.studio import job_queue
from triptych.studio.job import Job, Progress
from triptych.studio.job_queue import (
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobQueue,
    QueueFull,
)
from triptych.studio.workplace import Workplace


class ToyRunner:
    """Runs a job until it is released; what it then does is its setting."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.running = threading.Event()
        self.release = threading.Semaphore(0)
        self.told: list[str] = []

    def run(self, job: Job, heard) -> None:
        self.order.append(job.title)
        heard.progress("working", 1, 4)
        heard.said("a note")
        heard.said("a note")
        self.running.set()
        assert self.release.acquire(timeout=30)
        self.running.clear()
        if job.id in self.told:
            raise JobCancelled
        if job.title == "fails":
            raise JobFailed("in words")
        if job.title == "broken":
            raise RuntimeError("a secret")
        if job.title == "dies":
            raise JobInterrupted("its process has ended")

    def cancel(self, job_id: str) -> None:
        self.told.append(job_id)
        self.release.release()


@pytest.fixture
def workplace(tmp_path) -> Workplace:
    place = Workplace(tmp_path / "studio")
    place.make()
    return place


@pytest.fixture
def runner() -> ToyRunner:
    return ToyRunner()


@pytest.fixture
def queue(workplace, runner) -> Iterator[JobQueue]:
    made = JobQueue(workplace, runner)
    made.start()
    yield made
    for _ in range(10):
        runner.release.release()
    made.close()


def ended(queue: JobQueue, job: Job) -> dict:
    ends = time.monotonic() + 30
    while (status := queue.status(job.id))["state"] in ("waiting", "running"):
        assert time.monotonic() < ends
        time.sleep(0.005)
    return status


def test_jobs_run_one_by_one_in_order(queue, runner):
    jobs = [queue.add("toy", {}, title) for title in ("first", "second", "third")]
    assert runner.running.wait(30)
    assert [queue.status(job.id)["before"] for job in jobs] == [None, 0, 1]
    status = queue.status(jobs[0].id)
    assert (status["state"], status["stage"], status["done"], status["total"]) == (
        *("running", "working"),
        *(1, 4),
    )
    assert status["notes"] == ["a note"]
    for _ in jobs:
        runner.release.release()
    assert [ended(queue, job)["state"] for job in jobs] == ["done"] * 3
    assert runner.order == ["first", "second", "third"]
    assert [status["title"] for status in queue.statuses(2)] == ["third", "second"]


def test_waiting_jobs_are_taken_out_and_running_ones_told(queue, runner):
    running, waiting = queue.add("toy", {}, "running"), queue.add("toy", {}, "waiting")
    assert runner.running.wait(30)
    assert queue.cancel(waiting.id).state == "cancelled"
    queue.cancel(running.id)
    assert ended(queue, running)["state"] == "cancelled"
    assert runner.order == ["running"]
    with pytest.raises(UserError, match="cancelled already"):
        queue.cancel(running.id)
    runner.told.clear()
    queue.resume(waiting.id)
    runner.release.release()
    assert ended(queue, waiting)["state"] == "done"
    with pytest.raises(UserError, match="only one that was stopped"):
        queue.resume(waiting.id)


def test_what_went_wrong_is_said_and_the_queue_goes_on(queue, runner):
    jobs = [queue.add("toy", {}, title) for title in ("fails", "dies", "works")]
    for _ in jobs:
        runner.release.release()
    fails, dies, works = [ended(queue, job) for job in jobs]
    assert (fails["state"], fails["error"], fails["resumable"]) == ("failed", "in words", True)
    assert (dies["state"], dies["error"]) == ("interrupted", "its process has ended")
    assert (works["state"], works["error"], works["resumable"]) == ("done", None, False)


def test_records_outlive_the_studio(queue, runner, workplace):
    running, waiting = queue.add("toy", {"a": 1}, "running"), queue.add("toy", {}, "waiting")
    assert runner.running.wait(30)
    workplace.job_record("20260101-000000-00000000").write_text("{ no JSON")
    workplace.job_record("20260101-000000-00000001").write_text('{"id": 3}')
    again = JobQueue(workplace, ToyRunner())
    assert [job["id"] for job in again.statuses(9)] == [waiting.id, running.id]
    assert {job["state"] for job in again.statuses(9)} == {"interrupted"}
    assert again.get(running.id).settings == {"a": 1}


def test_there_is_an_end_to_the_queue_and_to_its_past(queue, runner, workplace, monkeypatch):
    monkeypatch.setattr(job_queue, "MOST_WAITING", 2)
    monkeypatch.setattr(job_queue, "MOST_ENDED", 1)
    first = queue.add("toy", {}, "first")
    assert runner.running.wait(30)
    second, third = queue.add("toy", {}, "second"), queue.add("toy", {}, "third")
    workplace.portrait(first.id).mkdir()  # that it did not finish
    workplace.portrait(second.id).mkdir()
    (workplace.portrait(second.id) / "studio.json").touch()
    with pytest.raises(QueueFull, match="2 jobs wait already"):
        queue.add("toy", {}, "fourth")
    for _ in range(3):
        runner.release.release()
    ended(queue, third)
    assert [path.stem for path in workplace.job_records()] == [third.id]
    assert not workplace.portrait(first.id).exists()
    assert workplace.portrait(second.id).exists()
    for gone in (first, second):
        with pytest.raises(UserError, match="there is no job"):
            queue.get(gone.id)


def test_time_left_is_that_of_the_job_before_or_of_the_stage(queue, runner, monkeypatch):
    job = queue.add("toy", {"quality": "draft"}, "first")
    assert runner.running.wait(30)
    assert queue.status(job.id)["seconds_left"] is None
    runner.release.release()
    ended(queue, job)
    queue.get(job.id).seconds = 100.0
    runner.running.clear()
    second = queue.add("toy", {"quality": "draft"}, "second")
    assert runner.running.wait(30)
    assert queue.status(second.id)["seconds_left"] == pytest.approx(100, abs=5)
    queue.get(second.id).seconds = 200.0  # longer than the job before: nothing is known
    assert queue.status(second.id)["seconds_left"] is None
    queue.get(second.id).settings["quality"] = "high"  # which no job before had
    assert queue.status(second.id)["seconds_left"] is None


def test_an_unforeseen_error_ends_one_job_and_no_more_begin_after_the_stop(
    queue, runner, workplace, capsys
):
    broken = queue.add("toy", {}, "broken")
    running, waiting = queue.add("toy", {}, "running"), queue.add("toy", {}, "waiting")
    runner.release.release()
    assert ended(queue, broken)["error"].startswith("an internal error")
    assert "a secret" in capsys.readouterr().err
    assert runner.running.wait(30)
    queue.stop()
    runner.release.release(2)
    assert ended(queue, running)["state"] == "done"
    queue.close()
    assert queue.status(waiting.id)["state"] == "waiting"
    assert runner.order == ["broken", "running"]


def test_progress_knows_the_pace_of_its_stage(monkeypatch):
    clock = iter([12.0, 18.0])
    monkeypatch.setattr("triptych.studio.job.time.monotonic", lambda: next(clock))
    progress = Progress()
    progress.heard("fitting", 2, 10)  # two steps were done by an earlier try
    progress.heard("fitting", 4, 10)
    assert progress.seconds_left() is None  # the first report may be of loading
    progress.heard("fitting", 6, 10)
    assert progress.seconds_left() == pytest.approx(12)  # 3 s a step, 4 to go


def test_a_record_is_json_and_comes_back():
    job = Job("20260101-000000-00000000", "toy", {"a": [1]}, "a title", notes=["n"])
    job.state = "done"
    again = Job.from_record(json.loads(json.dumps(job.record())))
    assert again.record() == job.record()
