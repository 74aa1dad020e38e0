"""Editor folders that somebody changed are refused in one line before a library reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from triptych.editors.loading import load_editor
from triptych.errors import UserError
from triptych.weights.registry import find_present


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the embedded editor whose hashes an attacker has left out."""
    copied = Path(shutil.copytree(find_present("avatar-editor", "editor"), tmp_path / "editor"))
    record = json.loads((copied / "triptych_editor.json").read_text())
    (copied / "triptych_editor.json").write_text(json.dumps({**record, "sha256": {}}))
    return copied


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_editor(folder)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("value", [None, 5, [], True, "words", {"vae": 5}, {"vae": [1, []]}])
def test_an_index_that_is_none_is_refused(folder, value):
    (folder / "model_index.json").write_text(json.dumps(value))
    assert "autoencoder class" in refused(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": []}, "expected an object"),
        ({"sha256": {"../../etc/passwd": ""}}, "outside its folder"),
        ({"sha256": {"unet/config.json": None}}, "is damaged"),
        ({"config": None}, "expected an object"),
        ({"config": {"image_size": 10**9}}, "EditorConfig.image_size"),
        ({"config": {"num_steps": 10**9}}, "EditorConfig.num_steps"),
        ({"config": {"\x1b[2J": 1}}, "unknown key"),
        ({"format_version": None}, "format version"),
    ],
)
def test_a_record_that_is_none_is_refused(folder, changes, said):
    record = json.loads((folder / "triptych_editor.json").read_text())
    (folder / "triptych_editor.json").write_text(json.dumps({**record, **changes}))
    assert said in refused(folder)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("unet", "layers_per_block", 10**7),
        ("unet", "block_out_channels", [64, 10**9, 160]),
        ("unet", "block_out_channels", [64] * 10_000),
        ("vae", "num_decoder_blocks", [10**7, 1, 1]),
        ("text_encoder", "num_hidden_layers", 10**7),
        ("text_encoder", "vocab_size", 10**12),
        ("text_encoder", "hidden_size", 10**400),
    ],
)
def test_settings_of_networks_out_of_range_are_refused(folder, part, name, value: Any):
    file = folder / part / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    assert str(file) in refused(folder)


def test_broken_weights_and_settings_are_refused(folder):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    assert "not a whole safetensors file" in refused(folder)
    weights.write_bytes(whole)
    (folder / "unet" / "config.json").write_text("[" * 100_000)
    assert "nested deeper" in refused(folder)
    (folder / "unet" / "config.json").write_text("{}")
    assert "cannot be loaded" in refused(folder)


def test_a_text_encoder_whose_tensors_have_other_names_is_refused(folder):
    """transformers would go on with random numbers in their place."""
    path = folder / "text_encoder" / "model.safetensors"
    tensors = {f"other.{name}": tensor for name, tensor in load_file(path).items()}
    save_file(tensors, path, {"format": "pt"})
    assert "text_encoder lacks 36 tensors of a CLIP text encoder" in refused(folder)
