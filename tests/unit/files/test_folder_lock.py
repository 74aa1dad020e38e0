"""One writer per folder, however the writers before it ended."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import platform
import signal
import time

import pytest

from triptych import folder_lock, temporaries
from triptych.errors import UserError
from triptych.files import atomic_write, check_output_file
from triptych.folder_lock import LOCK_FILE, FolderLock
from triptych.temporaries import remove_leftovers, temporary_name

FORKING = multiprocessing.get_context("fork")
NO_PROCESS = 2**22 + 1  # beyond the largest number of a Linux process


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of the folder until it is killed."""
    pipe, other = FORKING.Pipe()
    process = FORKING.Process(target=_hold, args=(tmp_path, other))
    process.start()
    assert pipe.poll(30), "the process did not take the lock"
    yield process
    process.kill()
    process.join()


def _hold(folder, pipe):
    with FolderLock(folder), open(temporary_name(folder / "half.png"), "w"):
        pipe.send("held")
        signal.pause()


def record(folder, **change) -> None:
    """Leave the record of a writer."""
    whole = {"process": NO_PROCESS, "host": platform.node(), "since": time.time(), **change}
    (folder / LOCK_FILE).write_text(json.dumps(whole))


def test_a_second_writer_is_told_of_the_first(tmp_path, holder):
    with pytest.raises(UserError) as refusal:
        FolderLock(tmp_path)
    said = str(refusal.value)
    assert said.startswith(f"another run is writing to {tmp_path} (process {holder.pid}, since 20")
    assert "wait for it, or choose another folder" in said
    assert list(tmp_path.glob(".half.*.png")), "what a living process writes was removed"


def test_the_lock_of_a_killed_process_is_free_and_its_files_are_swept(tmp_path, holder):
    holder.kill()
    holder.join()
    assert (tmp_path / LOCK_FILE).exists()
    assert list(tmp_path.glob(".half.*.png"))
    with FolderLock(tmp_path):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["process"] == os.getpid()
        assert os.listdir(tmp_path) == [LOCK_FILE]
    assert os.listdir(tmp_path) == []


def test_a_released_lock_is_free(tmp_path):
    first = FolderLock(tmp_path)
    with pytest.raises(UserError, match="another run"):
        FolderLock(tmp_path)
    first.release()
    second = FolderLock(tmp_path)
    first.release()  # again, which must not free the second one
    with pytest.raises(UserError, match="another run"):
        FolderLock(tmp_path)
    second.release()


def test_a_file_that_is_removed_while_it_is_opened_is_no_lock(tmp_path, monkeypatch):
    first, take = FolderLock(tmp_path), folder_lock.take_lock

    def meanwhile(stream):
        first.release()
        return take(stream)

    monkeypatch.setattr(folder_lock, "take_lock", meanwhile)
    with FolderLock(tmp_path):
        assert (tmp_path / LOCK_FILE).exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b'{"since": "noon"}', b"null"])
def test_a_damaged_record_is_no_obstacle(tmp_path, content):
    (tmp_path / LOCK_FILE).write_bytes(content)
    FolderLock(tmp_path).release()


@pytest.fixture
def no_locks(monkeypatch):
    """A disk whose file system knows no locks."""
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({}, False),  # no such process
        ({"process": os.getppid()}, True),
        ({"process": os.getppid(), "since": 1e9}, False),  # the number is used again
        ({"host": "elsewhere"}, True),
        ({"process": "x"}, False),
    ],
)
def test_without_locks_the_record_counts(tmp_path, no_locks, change, held):
    record(tmp_path, **change)
    if not held:
        FolderLock(tmp_path).release()
        return
    with pytest.raises(
        UserError, match="another run is writing.*if it has ended, remove .*writing"
    ):
        FolderLock(tmp_path)


def test_another_computer_is_named(tmp_path, no_locks):
    record(tmp_path, host="elsewhere", process=7)
    with pytest.raises(UserError, match=r"\(process 7 on elsewhere, since "):
        FolderLock(tmp_path)


def left_over(folder, file: str, *, host: str | None = None, process: int = NO_PROCESS):
    """Leave the temporary file of another process."""
    host = host or temporaries._this_host()
    name = temporary_name(folder / file).name
    own = f"{temporaries._this_host()}-{os.getpid()}"
    path = folder / name.replace(own, f"{host}-{process}")
    path.write_text("half")
    return path


def test_only_what_nobody_writes_is_removed(tmp_path):
    (tmp_path / "views").mkdir()
    gone = [left_over(tmp_path, "a.png"), left_over(tmp_path / "views", "b")]
    kept = [
        left_over(tmp_path, "a.png", process=os.getppid()),
        left_over(tmp_path, "a.png", host="abcdef"),
        tmp_path / ".download.part",
        tmp_path / "film.part.mp4",
    ]
    old = left_over(tmp_path, "c.png", host="abcdef")
    os.utime(old, (0, 0))
    used_again = left_over(tmp_path, "d.png", process=os.getppid())
    os.utime(used_again, (1e9, 1e9))
    for path in kept[2:]:
        path.touch()
    remove_leftovers(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in [*gone, old, used_again])


def test_a_shard_that_a_killed_process_left_is_removed(tmp_path):
    folder = tmp_path / left_over(tmp_path, "shard_0000001").name
    folder.unlink()
    folder.mkdir()
    (folder / "rgb.npy").touch()
    FolderLock(tmp_path).release()
    assert os.listdir(tmp_path) == []


def test_the_next_command_for_a_file_sweeps_what_a_killed_one_left(tmp_path):
    film, other = left_over(tmp_path, "film.mp4"), left_over(tmp_path, "other.mp4")
    check_output_file(tmp_path / "film.mp4", (".mp4",), overwrite=False)
    assert not film.exists()
    assert other.exists()


def test_own_temporary_files_have_the_form_that_is_swept(tmp_path):
    for name in ("a.png", "a", "a.b.tar", ".hidden", "two words.png", "line\nend.png"):
        with atomic_write(tmp_path / name, "w"):
            (written,) = tmp_path.glob(".*.part*")
            assert temporaries._FORM.fullmatch(written.name)
