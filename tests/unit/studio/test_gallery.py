"""The gallery shows what is whole, and names lead nowhere else."""

from __future__ import annotations

import pytest

from triptych.errors import UserError
from triptych.studio.gallery import Gallery, PortraitRecord
from triptych.studio.workplace import Workplace, check_id, new_id

OLD, NEW = "20260101-000000-00000000", "20260102-000000-00000000"


@pytest.fixture
def gallery(tmp_path) -> Gallery:
    place = Workplace(tmp_path / "studio")
    place.make()
    return Gallery(place)


def added(gallery: Gallery, name: str, **more) -> None:
    gallery.workplace.portrait(name).mkdir()
    gallery.add(name, PortraitRecord(title=name, kind="make", created="now", **more))


def test_portraits_are_the_newest_first_once_their_record_is_there(gallery):
    added(gallery, OLD)
    added(gallery, NEW, file="seed00007.safetensors", parent=OLD, notes=("n",))
    gallery.workplace.portrait("20260103-000000-00000000").mkdir()  # of a job that was killed
    (gallery.workplace.folder / "mine").mkdir()
    assert gallery.names() == [NEW, OLD]
    first = gallery.entries()[0]
    assert (first["id"], first["parent"], first["notes"]) == (NEW, OLD, ["n"])
    assert gallery.file(NEW) == gallery.workplace.folder / NEW / "seed00007.safetensors"


def test_a_removed_portrait_is_gone_with_its_files(gallery):
    added(gallery, OLD)
    gallery.remove(OLD)
    assert gallery.names() == []
    assert not gallery.workplace.portrait(OLD).exists()
    assert not gallery.workplace.trash(OLD).exists()
    with pytest.raises(UserError, match="no portrait"):
        gallery.remove(OLD)


@pytest.mark.parametrize("file", ["../other.safetensors", "portrait.html", "/etc/passwd"])
def test_a_record_names_a_file_in_its_own_folder(gallery, file):
    added(gallery, OLD)
    record = gallery.workplace.portrait(OLD) / "studio.json"
    record.write_text(record.read_text().replace("portrait.safetensors", file))
    assert gallery.names() == []
    with pytest.raises(UserError):
        gallery.file(OLD)


@pytest.mark.parametrize(
    "name", ["", "..", "../" + OLD, OLD + "/..", OLD + "\n", OLD.replace("0", "\u0660"), "a" * 24]
)
def test_only_what_was_given_out_is_an_identifier(gallery, name):
    with pytest.raises(UserError, match="identifier"):
        gallery.workplace.portrait(name)


def test_identifiers_are_unlike_and_sort_by_age():
    names = [new_id() for _ in range(100)]
    assert len(set(names)) == 100
    assert [check_id(name) for name in names] == names
    assert [name[:20] for name in names] == sorted(name[:20] for name in names)
