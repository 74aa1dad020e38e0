"""PStyle-3D's files: dead residual blocks are dropped, the pickled encoder runs no code."""

from __future__ import annotations

import csv

import pytest
import torch
from pstyle_checkpoints import (
    NARROW,
    NARROW_ENCODER,
    checkpoint_of,
    generator_of,
    save_encoder_module,
)

from triptych.errors import UserError
from triptych.systems.adapt.generator import StyledGenerator, StyledGeneratorConfig
from triptych.systems.adapt.style_encoder import StyleEncoder, StyleEncoderConfig
from triptych.weights import open_checkpoint, read_header, save_converted
from triptych.weights.converted import ConversionOptions
from triptych.weights.loading import load_network
from triptych.weights.tensor_fit import TensorsDoNotFit, shapes_of


def converted(folder, content, kind="styled-generator", **form):
    """Save a checkpoint with torch, convert it and load what came of it."""
    torch.save(content, folder / "model_G_style.pth", **form)
    described = open_checkpoint(folder / "model_G_style.pth")
    save_converted(described, folder / "style.safetensors")
    return load_network(folder / "style.safetensors", kind)


def refusal(folder, content) -> UserError:
    torch.save(content, folder / "x.pth")
    with pytest.raises(UserError) as caught:
        open_checkpoint(folder / "x.pth")
    return caught.value


@pytest.mark.parametrize("old_form", [False, True])
def test_residual_blocks_that_were_never_trained_are_dropped(tmp_path, old_form):
    content = checkpoint_of(generator_of())
    content["G_ema"]["dataset_label_std"] = torch.ones(25)
    found = converted(tmp_path, content, _use_new_zipfile_serialization=not old_form)
    expected = StyledGeneratorConfig.around(NARROW, modres="double", rgb_gain="twice")
    assert found.config == expected
    state = found.state_dict()
    assert all(torch.equal(tensor, content["G_ema"][name]) for name, tensor in state.items())
    header = read_header(tmp_path / "style.safetensors")
    assert header.class_name == "StyledGenerator"
    assert "non-commercial" in header.licence
    dropped = header.provenance["dropped"]
    assert len(dropped) == 10 * (7 + 4)
    assert set(dropped) == content["G_ema"].keys() - state.keys() - {"dataset_label_std"}
    assert any("return twice their input" in remark for remark in header.provenance["remarks"])


@pytest.mark.parametrize("name", ["b8.res0.norm.style.bias", "b16.res1.conv2.1.bias"])
def test_one_trained_bias_keeps_the_residual_blocks(tmp_path, name):
    content = checkpoint_of(generator_of())
    content["G_ema"][f"backbone.synthesis.{name}"][1] += 1e-6
    found = converted(tmp_path, content)
    assert found.config.modres == "residual"
    state = found.state_dict()
    assert state.keys() == content["G_ema"].keys()
    assert all(torch.equal(tensor, content["G_ema"][name]) for name, tensor in state.items())


def test_without_residual_blocks_there_is_nothing_to_drop(tmp_path):
    found = converted(tmp_path, checkpoint_of(generator_of("off")))
    assert found.config.modres == "off"


def test_the_report_says_what_was_assumed_and_dropped(tmp_path):
    torch.save(checkpoint_of(generator_of()), tmp_path / "x.pth")
    report = "\n".join(
        f"{what} {value}" for what, value in open_checkpoint(tmp_path / "x.pth").report
    )
    assert "G_ema: generator of PStyle-3D" in report
    assert "dropped 110 tensors of " in report
    assert "settings; those of ffhq512-128 taken" in report


def test_what_does_not_fit_is_one_table(tmp_path):
    content = checkpoint_of(generator_of())
    table = content["G_ema"]
    del table["superresolution.block1.torgb.affine1.bias"]
    table["backbone.synthesis.b4.conv1.affine1.bias"] = torch.zeros(2)
    error = refusal(tmp_path, content)
    assert isinstance(error, TensorsDoNotFit)
    assert "1 missing: superresolution.block1.torgb.affine1.bias" in str(error)
    assert "backbone.synthesis.b4.conv1.affine1.bias is [2], not [8]" in str(error)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("backbone.mapping.embed.weight", "the tensor backbone.mapping.embed.weight is missing"),
        ("decoder.net.2.weight", "the tensor decoder.net.2.weight is missing"),
        ("superresolution.block0.conv0.weight", "the tensor superresolution.block0.conv0.weight"),
    ],
)
def test_tensors_that_say_the_sizes_must_be_there(tmp_path, missing, said):
    content = checkpoint_of(generator_of("off"))
    del content["G_ema"][missing]
    assert f"the generator is not understood: {said}" in str(refusal(tmp_path, content))


def test_another_name_of_the_table_is_refused(tmp_path):
    error = refusal(tmp_path, {"G": generator_of("off").state_dict()})
    assert "expected tensors in 'G_ema'" in str(error)


def test_options_of_eg3d_are_refused(tmp_path):
    torch.save(checkpoint_of(generator_of("off")), tmp_path / "x.pth")
    with pytest.raises(UserError, match="needs no --network"):
        open_checkpoint(tmp_path / "x.pth", ConversionOptions(settings_of="ffhq512-128"))


def test_the_pickled_encoder_is_taken_apart_without_its_classes(tmp_path):
    encoder = StyleEncoder(NARROW_ENCODER).eval()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    codes = encoder(picture).detach()
    path = tmp_path / "feature_match_final_16.pth"
    save_encoder_module(path, encoder)
    with pytest.raises(ModuleNotFoundError):  # its classes are not there
        torch.load(path, weights_only=False)
    described = open_checkpoint(path)
    report = dict(described.report)
    assert report["stored as"] == "a whole module, pSp"
    assert report["style codes"] == "7 of 6"
    assert "running averages" in report["remark"]
    save_converted(described, tmp_path / "encoder.safetensors")
    found = load_network(tmp_path / "encoder.safetensors", "style-encoder")
    assert found.config == NARROW_ENCODER
    assert torch.equal(found(picture), codes)


def test_a_table_of_the_encoder_opens_too(tmp_path):
    state = StyleEncoder(NARROW_ENCODER).state_dict()
    named = {f"encoder.{name}": tensor for name, tensor in state.items()}
    found = converted(tmp_path, named, "style-encoder")
    assert found.config == NARROW_ENCODER


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_an_encoder_that_names_other_classes_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    without_checksums = {"_use_new_zipfile_serialization": False}
    save_encoder_module(path, StyleEncoder(NARROW_ENCODER), **without_checksums)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"training.volumetric", b"downfall.volumetric"))
    with pytest.raises(UserError, match="no style encoder of PStyle-3D needs; nothing"):
        open_checkpoint(path)


def test_an_encoder_that_names_functions_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ("run",)

    path = tmp_path / "x.pth"
    encoder = StyleEncoder(NARROW_ENCODER)
    encoder.trap = Trap()
    save_encoder_module(path, encoder)
    with pytest.raises(UserError, match=r"builtins\.print"):
        open_checkpoint(path)


def test_a_cut_encoder_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    save_encoder_module(path, StyleEncoder(NARROW_ENCODER))
    content = path.read_bytes()
    for share in (0.2, 0.6, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(UserError):
            open_checkpoint(path)


def test_something_else_in_place_of_a_tensor_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    encoder = StyleEncoder(NARROW_ENCODER)
    encoder.input_layer._parameters["weight"] = "no tensor"
    save_encoder_module(path, encoder)
    with pytest.raises(UserError, match="in place of the tensor"):
        open_checkpoint(path)


def test_a_head_count_that_no_pyramid_has_is_refused(tmp_path):
    state = StyleEncoder(NARROW_ENCODER).state_dict()
    for layer in (6, 8, 10, 12, 14, 16):
        state[f"styles.6.convs.{layer}.weight"] = torch.zeros(5, 5, 3, 3)
    assert "do not read three levels of a pyramid" in str(refusal(tmp_path, state))


def test_the_published_sizes_are_those_of_the_list(shared):
    """Names and shapes of both networks at their defaults."""
    networks = {
        "generator:G_ema": lambda: StyledGenerator(StyledGeneratorConfig(modres="residual")),
        "style_encoder:pickled pSp": lambda: StyleEncoder(StyleEncoderConfig()),
    }
    listed: dict[str, dict[str, tuple[int, ...]]] = {name: {} for name in networks}
    with open(shared / "reference" / "pstyle_state_dict.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            shape = row["shape"]
            sizes = () if shape == "scalar" else tuple(int(size) for size in shape.split("x"))
            listed[row["checkpoint"]][row["key"].removeprefix("encoder.")] = sizes
    for name, build in networks.items():
        assert shapes_of(build) == listed[name], name
