"""Zip archives: stored members are views of the file; all else is refused."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
import torch
from eg3d_pickles import derived_file, tiny_eg3d

from triptych.errors import UserError
from triptych.weights.eg3d_checkpoint import open_eg3d_checkpoint
from triptych.weights.untrusted import stored_zip
from triptych.weights.untrusted.stored_zip import StoredZip


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b""):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = comment
    return bytearray(stream.getvalue())


MEMBERS = {"a/data.pkl": b"N.", "a/data/0": bytes(range(40)), "a/empty": b""}


def opened(content: bytes) -> StoredZip:
    return StoredZip(memoryview(bytes(content)))


@pytest.mark.parametrize("comment", [b"", b"words", b"PK\x05\x06 in words"])
def test_members_are_read(comment):
    archive = opened(zipped(MEMBERS, comment=comment if b"PK" not in comment else b""))
    assert archive.names == list(MEMBERS)
    assert {name: bytes(archive.read(name)) for name in MEMBERS} == MEMBERS


def test_members_are_views_of_the_file():
    content = zipped(MEMBERS)
    archive = StoredZip(memoryview(content))
    assert archive.read("a/data/0").obj is content


def test_archives_of_torch_are_read(tmp_path):
    torch.save({"a": torch.arange(5.0)}, tmp_path / "a.pt")
    archive = opened((tmp_path / "a.pt").read_bytes())
    assert {"a/data.pkl", "a/data/0", "a/version"} <= set(archive.names)


def test_large_archives_have_larger_numbers():
    content = zipped({"a": b"12345"})
    end = content.index(b"PK\x05\x06")
    directory = content.index(b"PK\x01\x02")
    length = end - directory
    end_64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, length, directory)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    small_end = struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0
    )
    larger = content[:end] + end_64 + locator + small_end
    assert bytes(opened(larger).read("a")) == b"12345"
    # sizes and place of the member itself in an extra field
    entry = bytearray(larger[directory:end])
    struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, 20)
    extra = struct.pack("<HHQQ", 1, 16, 5, 5)
    entry += extra
    struct.pack_into("<Q", end_64 := bytearray(end_64), 40, length + len(extra))
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end + len(extra), 1)
    largest = content[:directory] + entry + end_64 + locator + small_end
    assert bytes(opened(largest).read("a")) == b"12345"
    struct.pack_into("<H", largest, directory + 30, 0)
    with pytest.raises(UserError):
        opened(largest)


def test_packed_members_are_refused():
    bomb = zipped({"a/data.pkl": bytes(10_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    with pytest.raises(UserError, match="has packed members"):
        opened(bomb)


def changed(offset_of: bytes, offset: int, value: bytes) -> bytearray:
    content = zipped(MEMBERS)
    place = content.index(offset_of) + offset
    content[place : place + len(value)] = value
    return content


ENTRY, END, MEMBER = b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(ENTRY, 8, b"\x01\x00"), "encrypted"),
        (changed(ENTRY, 20, b"\xff\xff\xff\x7f" * 2), "larger than the file"),
        (changed(ENTRY, 20, b"\xff\xff\xff\x7f"), "packed"),
        (changed(ENTRY, 28, b"\xff\xff"), "directory of the zip archive is cut off"),
        (changed(ENTRY, 46, b"\xff\xff"), "name that is not text"),
        (changed(END, 10, b"\xff\xff"), "parts are not where it says"),
        (changed(END, 16, b"\xff\xff\xff\x7f"), "parts are not where it says"),
        (changed(END, 0, b"XX"), "directory is missing"),
    ],
)
def test_broken_directories_are_refused(content, said):
    with pytest.raises(UserError, match=said):
        opened(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(ENTRY, 42, b"\xff\xff\xff\x7f"), "parts are not where it says"),
        (changed(ENTRY, 42, b"\x01"), "parts are not where it says"),
        (changed(MEMBER, 28, b"\xff\xff"), "beyond the end"),
        (changed(MEMBER, 40, b"!"), "damaged"),
    ],
)
def test_broken_members_are_refused(content, said):
    with pytest.raises(UserError, match=said):
        opened(content).read("a/data.pkl")


def test_what_is_not_there_is_refused():
    with pytest.raises(UserError, match="lacks a member"):
        opened(zipped(MEMBERS)).read("a/data/1")


def test_two_members_of_one_name_are_refused():
    content = zipped({"a1": b"x", "a2": b"y"})
    with pytest.raises(UserError, match="two members of the same name"):
        opened(content.replace(b"a2", b"a1"))


def test_too_many_members_are_refused(monkeypatch):
    monkeypatch.setattr(stored_zip, "MAX_MEMBERS", 2)
    with pytest.raises(UserError, match="3 members, more than any checkpoint"):
        opened(zipped(MEMBERS))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"readme.txt": b"words"}, "a zip archive that torch did not write"),
        ({}, "an empty zip archive"),
        ({"a/data.pkl": b"N.", "a/constants.pkl": b"N."}, "a TorchScript program"),
        ({"a/data.pkl": b"N.", "b/data.pkl": b"N."}, "a zip archive that torch did not write"),
        ({"a/data.pkl": b"N.", "a/byteorder": b"big"}, "another byte order"),
        ({"a/data.pkl": b""}, "cut off"),
    ],
)
def test_archives_of_other_kinds_are_named(tmp_path, members, said):
    (tmp_path / "a.pt").write_bytes(zipped(members))
    with pytest.raises(UserError, match=said):
        open_eg3d_checkpoint(tmp_path / "a.pt")


def test_a_packed_checkpoint_is_refused(tmp_path):
    torch.save(derived_file(tiny_eg3d()), tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "b.pt").write_bytes(zipped(members, zipfile.ZIP_DEFLATED))
    with pytest.raises(UserError, match="has packed members"):
        open_eg3d_checkpoint(tmp_path / "b.pt")


def test_damaged_numbers_are_noticed_when_they_are_read(tmp_path):
    ours = tiny_eg3d()
    torch.save(derived_file(ours), tmp_path / "a.pt")
    content = bytearray((tmp_path / "a.pt").read_bytes())
    numbers = ours.state_dict()["backbone.synthesis.b8.conv0.weight"].numpy().tobytes()
    content[content.index(numbers) + 5] ^= 1
    (tmp_path / "a.pt").write_bytes(content)
    checkpoint = open_eg3d_checkpoint(tmp_path / "a.pt")
    with pytest.raises(UserError, match="b8.conv0.weight: the data of a tensor are damaged"):
        checkpoint.tensors()
