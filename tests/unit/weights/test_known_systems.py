"""A checkpoint of another published system is called by its name."""

from __future__ import annotations

import ast
import csv
import pickle
from pathlib import Path

import pytest
import torch
from pickle_assembly import STOP, call, glob, group, number

from triptych.errors import UserError
from triptych.weights.eg3d_checkpoint import open_eg3d_checkpoint
from triptych.weights.known_systems import system_of

TABLES = {
    "3dpe_state_dict.tsv": {"encoder_state_dict": "3DPE", "renderer_state_dict": None},
    "3dpe_live3d_LT_state_dict.tsv": {"": "Live3D"},
    "3dpe_live3d_Normal_state_dict.tsv": {"": "Live3D"},
    "3dpsp_state_dict.tsv": {"": "3DpSp"},
    "cnerf_state_dict.tsv": {
        "g_ema (full 512)": "CNeRF",
        "d (stage2 Discriminator 512)": "CNeRF",
        "gd (stage1 VolumeRenderDiscriminator)": "CNeRF",
        "sd (stage1 ComponentDualBranchDiscriminator)": "CNeRF",
    },
    "pstyle_state_dict.tsv": {
        "generator:G_ema": "PStyle-3D",
        "style_encoder:pickled pSp": "PStyle-3D's style encoder",
    },
    "eg3d_state_dict.tsv": {"": "EG3D"},
}
SECTION_COLUMNS = ("checkpoint_section", "module", "checkpoint")


def shape_of(text: str) -> tuple[int, ...]:
    if text.startswith("["):
        return tuple(ast.literal_eval(text))
    return () if text == "scalar" else tuple(int(size) for size in text.split("x"))


def sections_of_table(path: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    with open(path, encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            section = next((row[column] for column in SECTION_COLUMNS if column in row), "")
            found.setdefault(section, {})[row["key"]] = shape_of(row["shape"])
    return found


@pytest.mark.parametrize("table", TABLES)
def test_published_tables_are_recognised(shared, table):
    sections = sections_of_table(shared / "reference" / table)
    assert sections.keys() == TABLES[table].keys()
    for section, system in TABLES[table].items():
        named = system_of(sections[section])
        assert (named or "").startswith(system or ""), (section, named)
        assert (named is None) == (system is None)


def write(path: Path, names: dict[str, tuple[int, ...]], section: str = "") -> Path:
    tensors = {name: torch.zeros(shape) for name, shape in names.items()}
    torch.save({section: tensors} if section else tensors, path)
    return path


FEW_TENSORS = {
    "StyleGAN2-ada": {"synthesis.b4.const": (1,), "mapping.fc0.weight": (1, 1)},
    "StyleGAN3": {"synthesis.L0_36_512.weight": (1,)},
    "StyleGAN2 (2D": {"to_rgb1.bias": (1,), "convs.0.conv.weight": (1,)},
    "Stable Diffusion": {"model.diffusion_model.input_blocks.0.0.weight": (1, 4, 1, 1)},
    "InstructPix2Pix": {"model.diffusion_model.input_blocks.0.0.weight": (1, 8, 1, 1)},
    "the image autoencoder": {"encoder.conv_in.weight": (1,), "post_quant_conv.weight": (1,)},
    "CLIP": {"text_model.embeddings.weight": (1,)},
    "StyleSDF": {"renderer.network.pts_linears.0.weight": (1,)},
    "Next3D": {"texture_backbone.mapping.w_avg": (1,)},
    "an IR-SE face network": {"input_layer.0.weight": (1, 3, 1, 1), "body.0.x.weight": (1,)},
    "VGG": {"features.0.weight": (1,)},
}


@pytest.mark.parametrize("system", FEW_TENSORS)
def test_files_of_other_systems_are_refused_by_name(tmp_path, system):
    for section in ("", "state_dict", "g_ema"):
        path = write(tmp_path / "a.pt", FEW_TENSORS[system], section)
        with pytest.raises(UserError, match="is a checkpoint of .*; expected one of EG3D") as said:
            open_eg3d_checkpoint(path)
        assert f"checkpoint of {system}" in str(said.value)


def test_diffusers_networks_are_recognised():
    unet = {"down_blocks.0.x.weight": (1,), "mid_block.x.weight": (1,)}
    assert system_of({**unet, "conv_in.weight": (320, 4, 3, 3)}).startswith("Stable")
    assert system_of({**unet, "conv_in.weight": (320, 8, 3, 3)}).startswith("Instruct")


def test_names_from_parallel_training_are_understood(tmp_path):
    names = {f"module.{name}": shape for name, shape in FEW_TENSORS["StyleGAN3"].items()}
    with pytest.raises(UserError, match="checkpoint of StyleGAN3"):
        open_eg3d_checkpoint(write(tmp_path / "a.pt", names))


def test_networks_of_tensorflow_are_recognised(tmp_path):
    network = call(glob("dnnlib.tflib.network", "Network"), number(1))
    (tmp_path / "a.pkl").write_bytes(group(network, network, network) + STOP)
    with pytest.raises(UserError, match="checkpoint of StyleGAN for TensorFlow"):
        open_eg3d_checkpoint(tmp_path / "a.pkl")


def test_the_unknown_is_described(tmp_path):
    path = write(tmp_path / "a.pt", {"blah.weight": (1,), "blub.bias": (2,)})
    with pytest.raises(UserError, match="holds 2 tensors such as blah.weight"):
        open_eg3d_checkpoint(path)
    (tmp_path / "b.pkl").write_bytes(pickle.dumps({"epoch": 3, "lr": 0.1}))
    with pytest.raises(UserError, match="it holds entries epoch, lr, none of which is a network"):
        open_eg3d_checkpoint(tmp_path / "b.pkl")
