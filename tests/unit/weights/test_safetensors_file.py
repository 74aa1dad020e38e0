"""Self-describing weight files: what goes in comes out, and anything else is explained."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from triptych.errors import UserError
from triptych.weights.file_header import sealed_hash
from triptych.weights.safetensors_file import (
    FileHeader,
    content_hash,
    fill_module,
    load_module,
    load_tensors,
    read_header,
    save_module,
    save_tensors,
)

HEADER = FileHeader(
    "Thing", {"width": 2}, licence="CC0-1.0", provenance={"seed": 7}, metrics={"psnr": 24.5}
)


@pytest.fixture
def tensors():
    rng = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn(3, 4, generator=rng),
        "count": torch.tensor(5),
        "mask": torch.tensor([True, False]),
        "transposed": torch.randn(4, 3, generator=rng).T,
    }


def test_tensors_and_header_come_back_exactly(tmp_path, tensors):
    path = tmp_path / "a.safetensors"
    save_tensors(path, tensors, HEADER)
    loaded, header = load_tensors(path, "Thing")
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    assert header.config == {"width": 2}
    assert header.licence == "CC0-1.0"
    assert header.provenance == {"seed": 7}
    assert header.metrics == {"psnr": 24.5}
    assert header.sha256 == sealed_hash(HEADER, content_hash(tensors))


@pytest.mark.parametrize(("dtype", "error"), [(torch.float16, 2**-11), (torch.bfloat16, 2**-8)])
def test_half_precision_is_stored_and_float32_is_loaded(tmp_path, tensors, dtype, error):
    path = tmp_path / "a.safetensors"
    save_tensors(path, tensors, HEADER, dtype=dtype)
    loaded, _ = load_tensors(path)
    assert loaded["weight"].dtype == torch.float32
    assert loaded["count"].dtype == torch.int64
    assert torch.equal(loaded["weight"], tensors["weight"].to(dtype).float())
    relative = (loaded["weight"] - tensors["weight"]).abs() / tensors["weight"].abs()
    assert 0 < relative.max() <= error


def test_the_same_content_gives_the_same_bytes(tmp_path, tensors):
    for name in ("a", "b"):
        save_tensors(tmp_path / name, tensors, HEADER)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tensors_that_share_memory_are_stored_apart(tmp_path):
    base = torch.arange(6.0)
    shared = {"a": base, "again": base, "part": base[2:4], "turned": base.view(2, 3).T}
    save_tensors(tmp_path / "a", {**shared, "none": base[:0]}, HEADER)
    loaded, _ = load_tensors(tmp_path / "a")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in shared.items())
    assert loaded["none"].shape == (0,)
    assert torch.equal(base, torch.arange(6.0))


def test_values_beyond_half_precision_are_refused(tmp_path):
    with pytest.raises(UserError, match="big do not fit into torch.float16"):
        save_tensors(tmp_path / "a", {"big": torch.tensor([1e6])}, HEADER, dtype=torch.float16)
    assert not (tmp_path / "a").exists()


def test_another_class_is_named(tmp_path, tensors):
    save_tensors(tmp_path / "a", tensors, HEADER)
    with pytest.raises(UserError, match="holds a Thing; expected a Portrait"):
        load_tensors(tmp_path / "a", "Portrait")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*No such file"),
        (b"", "is empty"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x80\x02pickle", "Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<html>not found</html>", "web page"),
        (b"\x89PNG\r\n", "PNG picture"),
        (b"glTF\x02\x00\x00\x00", "glTF mesh"),
        (b"plain words", "not a whole safetensors file"),
    ],
)
def test_what_is_not_a_safetensors_file_is_named(tmp_path, content, message):
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_tensors(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        read_header(tmp_path)


@pytest.mark.parametrize("kept", [4, 60, -1])
def test_a_cut_file_is_refused(tmp_path, tensors, kept):
    save_tensors(tmp_path / "a", tensors, HEADER)
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:kept])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load_tensors(tmp_path / "cut")


def test_a_changed_byte_is_noticed(tmp_path, tensors):
    save_tensors(tmp_path / "a", tensors, HEADER)
    content = bytearray((tmp_path / "a").read_bytes())
    content[-1] ^= 1
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        load_tensors(tmp_path / "a")


def test_a_file_of_another_program_is_described(tmp_path, tensors):
    plain = {"unet.conv.weight": tensors["weight"], "b": tensors["mask"]}
    save_file(plain, tmp_path / "a", metadata={"format": "pt"})
    with pytest.raises(UserError, match="of another program .2 tensors: b, unet.conv.weight"):
        read_header(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "header that cannot be read"),
        ("[]", "header that cannot be read"),
        (
            json.dumps({"format": "triptych", "format_version": 99}),
            r"newer triptych \(format 99, this one reads up to 2\): pip install --upgrade",
        ),
        (
            json.dumps({"format": "triptych", "format_version": 0}),
            "format version 0; expected 1 to 2",
        ),
        (json.dumps({"format": "triptych", "format_version": "x"}), "format version 'x'"),
        (json.dumps({"format": "triptych", "format_version": 2}), "incomplete or broken header"),
    ],
)
def test_headers_that_cannot_be_used_are_explained(tmp_path, tensors, text, message):
    save_file({"b": tensors["mask"]}, tmp_path / "a", metadata={"triptych": text})
    with pytest.raises(UserError, match=message):
        read_header(tmp_path / "a")


def linear_with_bias() -> nn.Linear:
    return nn.Linear(2, 3)


def test_a_module_comes_back_frozen_and_in_evaluation_mode(tmp_path, toy_generator):
    from toy_portraits import tiny_generator

    save_module(tmp_path / "a", toy_generator, dtype=None)
    other = tiny_generator()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    load_module(tmp_path / "a", other)
    expected = toy_generator.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in other.state_dict().items())
    assert not other.training
    assert not any(parameter.requires_grad for parameter in other.parameters())


def test_all_that_does_not_fit_is_in_one_table():
    tensors = {"weight": torch.zeros(3, 5), "extra": torch.zeros(1)}
    with pytest.raises(UserError) as caught:
        fill_module(linear_with_bias(), tensors, "a.safetensors")
    message = str(caught.value)
    assert "a.safetensors do not fit a Linear" in message
    assert "1 missing: bias" in message
    assert "1 unexpected: extra" in message
    assert "1 misshapen: weight is [3, 5], not [3, 2]" in message


def test_long_tables_are_cut():
    tensors = {f"x{index}": torch.zeros(1) for index in range(9)}
    with pytest.raises(UserError, match=r"9 unexpected: x0, x1, x2, x3, x4, \.\.\."):
        fill_module(nn.Identity(), tensors, "a")
