"""Models by name."""

from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.weights import load_generator, read_tensors, registry, save_module
from triptych.weights.registry import weight_file


def test_names_are_these():
    assert list(registry.MODELS) == [
        "avatar-generator",
        "avatar-i2t",
        "avatar-features",
        "avatar-classifier",
        "avatar-editor",
        "avatar-landmarks",
        "avatar-psp",
        "avatar-psp-baseline",
        "avatar-composer",
        "avatar-edit",
        "avatar-styler",
        "ffhq512-64",
        "ffhq512-128",
        "ffhqrebalanced512-64",
        "ffhqrebalanced512-128",
        "afhqcats512-128",
        "shapenetcars128-64",
        "instruct-pix2pix",
    ]
    assert all(entry.licence and entry.page for entry in registry.MODELS.values())


def test_official_faces_are_marked_non_commercial():
    assert "non-commercial" in registry.find("ffhq512-128").licence
    assert "OpenRAIL" in registry.find("instruct-pix2pix").licence


def test_a_misspelt_name_is_mended():
    with pytest.raises(UserError, match="did you mean 'avatar-generator'"):
        registry.find("avatar-genrator")


def test_a_model_of_another_kind_is_refused():
    with pytest.raises(UserError, match="of kind editor; expected kind generator"):
        registry.find("avatar-editor", "generator")


def test_an_absent_official_model_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    entry = registry.find("ffhq512-128")
    assert not entry.present()
    assert entry.sha256() == ""
    assert entry.num_bytes() == entry.published.num_bytes > 0
    with pytest.raises(UserError, match="not on this machine.*catalog.ngc.nvidia.com.*NVIDIA") as e:
        load_generator("ffhq512-128")
    assert "triptych download ffhq512-128 --accept-licence" in str(e.value)
    assert f"triptych convert ffhq512-128.pkl {entry.path}" in str(e.value)
    with pytest.raises(UserError, match="not among the published files") as e:
        load_generator("ffhq512-64")
    assert "triptych download" not in str(e.value)


def test_what_is_known_of_published_files_is_whole_or_absent():
    files = [entry.published for entry in registry.MODELS.values() if entry.published]
    assert [file.name for file in files if not file.addresses] == ["ffhq512-64.pkl"]
    for file in files:
        assert file.addresses or file.remark
        assert all(
            address.startswith("https://") and file.name in address for address in file.addresses
        )
        stated = (bool(file.num_bytes), bool(file.sha256), file.stated_by.startswith("https://"))
        assert stated in ((True,) * 3, (False,) * 3)
        if file.sha256:
            assert len(file.sha256) == 64
            assert int(file.sha256, 16) > 0
    assert len({file.name for file in files}) == len(files)


def test_an_absent_embedded_model_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "EMBEDDED_FOLDER", tmp_path)
    with pytest.raises(UserError, match="'avatar-generator' is missing from this installation"):
        load_generator()


def test_a_model_in_the_cache_is_present(tmp_path, monkeypatch, toy_generator):
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    entry = registry.find("ffhq512-128")
    entry.path.parent.mkdir(parents=True)
    save_module(entry.path, toy_generator)
    assert entry.present()
    assert entry.num_bytes() == entry.path.stat().st_size > 0
    assert len(entry.sha256()) == 64
    assert load_generator("ffhq512-128").config == toy_generator.config


def test_the_hash_of_a_folder_sees_names_and_contents(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "EMBEDDED_FOLDER", tmp_path)
    entry = registry.find("avatar-editor")
    (entry.path / "unet").mkdir(parents=True)
    hashes = []
    for name, content in (("model_index.json", b"{}"), ("unet/a", b"1"), ("unet/a", b"2")):
        (entry.path / name).write_bytes(content)
        hashes.append(entry.sha256())
    (entry.path / "unet" / "a").rename(entry.path / "unet" / "b")
    hashes.append(entry.sha256())
    assert len(set(hashes)) == 4
    assert entry.present()
    assert entry.num_bytes() == 3


def test_a_generator_comes_back_from_a_file(tmp_path, toy_generator):
    path = tmp_path / "mine.safetensors"
    save_module(path, toy_generator, dtype=None)
    loaded = load_generator(path)
    z = torch.randn(2, toy_generator.config.z_dim, generator=torch.Generator().manual_seed(1))
    assert loaded.config == toy_generator.config
    assert torch.equal(loaded.mapping(z), toy_generator.mapping(z))


def test_a_weight_file_of_another_network_is_refused(tmp_path, toy_portrait):
    toy_portrait.save(tmp_path / "portrait.safetensors")
    with pytest.raises(UserError, match="holds a TriPlanePortrait; expected a TriPlaneGenerator"):
        load_generator(tmp_path / "portrait.safetensors")


@pytest.mark.parametrize("name", ["mine.safetensors", "runs/mine"])
def test_a_missing_file_is_not_taken_for_a_name(name):
    with pytest.raises(UserError, match="there is no file"):
        weight_file(name, "generator")


def test_tensors_of_other_programs_are_read_without_running_code(tmp_path):
    tensors = {"a": torch.arange(3.0)}
    torch.save(tensors, tmp_path / "plain.pth")
    assert torch.equal(read_tensors(tmp_path / "plain.pth")["a"], tensors["a"])
    torch.save({"a": torch.nn.Linear(1, 1)}, tmp_path / "module.pth")
    torch.save({"a": 3}, tmp_path / "number.pth")
    (tmp_path / "words.pth").write_text("words")
    for name, message in (
        ("module", "refused"),
        ("number", "something else"),
        ("words", "refused"),
        ("absent", "cannot read"),
    ):
        with pytest.raises(UserError, match=message):
            read_tensors(tmp_path / f"{name}.pth")


def test_a_hostile_table_of_tensors_is_refused_unread(tmp_path):
    table = b"[" * 200_000
    (tmp_path / "deep.safetensors").write_bytes(len(table).to_bytes(8, "little") + table)
    with pytest.raises(UserError, match=r"deep\.safetensors"):
        read_tensors(tmp_path / "deep.safetensors")
