"""Files are whole or absent."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from triptych import files
from triptych.errors import UserError


def test_the_file_appears_only_when_the_block_succeeds(tmp_path):
    target = tmp_path / "a.txt"
    with files.atomic_write(target, "w") as stream:
        stream.write("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_earlier_file_and_nothing_else(tmp_path, failure):
    target = tmp_path / "a.txt"
    target.write_text("earlier")

    def write_half():
        with files.atomic_write(target, "w") as stream:
            stream.write("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert target.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_temporary_name_keeps_the_ending(tmp_path):
    with files.atomic_path(tmp_path / "film.mp4") as temporary:
        temporary.write_bytes(b"x")
        assert temporary.suffix == ".mp4"
    assert (tmp_path / "film.mp4").read_bytes() == b"x"


def test_a_full_disk_is_the_users_matter(tmp_path):
    with pytest.raises(UserError, match="No space left"), files.atomic_write(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(UserError, match="cannot write .*nowhere.*No such file"),
        files.atomic_write(tmp_path / "nowhere" / "a"),
    ):
        pass


def test_json_comes_back(tmp_path):
    files.write_json(tmp_path / "a.json", {"one": [1, None]})
    assert files.read_json(tmp_path / "a.json") == {"one": [1, None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read"), (b"{", "not valid JSON"), (b"\xff", "not valid")],
)
def test_unreadable_json_is_explained(tmp_path, content, message):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        files.read_json(path)


def test_sha256_of_known_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert files.sha256_of(path).startswith("ba7816bf8f01cfea414140de5dae2223")


def test_the_hash_of_a_folder_follows_names_and_contents(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_text("1")
    (tmp_path / "a" / "two").write_text("2")
    first = files.sha256_of(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "moved")
    assert files.sha256_of(tmp_path / "moved") == first
    (tmp_path / "moved" / "two").rename(tmp_path / "moved" / "three")
    renamed = files.sha256_of(tmp_path / "moved")
    (tmp_path / "moved" / "three").write_text("3")
    assert len({first, renamed, files.sha256_of(tmp_path / "moved")}) == 3


def test_a_writable_folder_is_made_with_its_parents_and_left_empty(tmp_path):
    folder = tmp_path / "a" / "b"
    files.make_writable_folder(folder)
    assert os.listdir(folder) == []


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(UserError, match="is a file"):
        files.make_writable_folder(tmp_path / "a")
    with pytest.raises(UserError, match="cannot write"):
        files.make_writable_folder(tmp_path / "a" / "b")


def test_a_nearly_full_disk_is_refused_at_once(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    for folder in (tmp_path, tmp_path / "a" / "b"):
        with pytest.raises(UserError, match="no space left.*1 MB are free"):
            files.make_writable_folder(folder)
    assert os.listdir(tmp_path) == []


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TRIPTYCH_CACHE", raising=False)
    assert files.user_cache_folder() == tmp_path / "triptych"
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "mine"))
    assert files.user_cache_folder() == tmp_path / "mine"
