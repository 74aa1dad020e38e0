"""CNeRF's checkpoints: every stage is read, nothing that does not fit is skipped."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import pytest
import torch
from cnerf_checkpoints import checkpoint_of
from toy_compose import TINY, WITHOUT_DECODER

from triptych.errors import UserError
from triptych.systems.compose.discriminators import (
    FullDiscriminator,
    SemanticDiscriminator,
    VolumeDiscriminator,
)
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionGeneratorConfig
from triptych.weights import open_checkpoint, read_header, save_converted
from triptych.weights.loading import load_network
from triptych.weights.tensor_fit import TensorsDoNotFit, shapes_of

# What a file does not say: how its masks are meant and how its rays are sampled.
PUBLISHED = replace(TINY, sampling=RegionGeneratorConfig().sampling, membership="raw")


def converted(folder, content, **options) -> RegionGenerator:
    """Save a checkpoint with torch, convert it and load what came of it."""
    torch.save(content, folder / "final_model.pt", **options)
    described = open_checkpoint(folder / "final_model.pt")
    save_converted(described, folder / "composer.safetensors")
    return load_network(folder / "composer.safetensors", "region-generator")


def refusal(folder, content) -> UserError:
    torch.save(content, folder / "x.pt")
    with pytest.raises(UserError) as caught:
        open_checkpoint(folder / "x.pt")
    return caught.value


@pytest.mark.parametrize("old_form", [False, True])
@pytest.mark.parametrize("config", [TINY, WITHOUT_DECODER])
def test_the_averaged_generator_of_both_stages(tmp_path, config, old_form):
    content = checkpoint_of(config)
    found = converted(tmp_path, content, _use_new_zipfile_serialization=not old_form)
    kept = PUBLISHED if config.decoder else replace(PUBLISHED, decoder=None, render_size=64)
    assert found.config == kept
    own = found.state_dict()
    assert own.keys() == content["g_ema"].keys()
    assert all(torch.equal(own[name], tensor) for name, tensor in content["g_ema"].items())


def test_the_sphere_initialisation(tmp_path):
    content = checkpoint_of(WITHOUT_DECODER)
    found = converted(tmp_path, {name: content[name] for name in ("g", "g_ema")})
    assert found.config.decoder is None
    header = read_header(tmp_path / "composer.safetensors")
    assert header.provenance["stage"] == "sphere initialisation"


def test_the_header_names_licence_quirks_and_dead_tensors(tmp_path):
    converted(tmp_path, checkpoint_of())
    header = read_header(tmp_path / "composer.safetensors")
    assert header.class_name == "RegionGenerator"
    assert "non-commercial" in header.licence
    record = header.provenance
    assert (record["system"], record["network"]) == ("CNeRF", "g_ema")
    assert record["stage"].startswith("stage 2")
    assert "region 3 is taken for the mouth" in record["remarks"][0]
    octaves = len(TINY.decoder.widths) - 1
    assert len(record["never_used"]) == 1 + 2 * octaves + 6
    assert "decoder.convs.0.bias" in record["never_used"]
    assert "renderer.init_network.rgb_linear.weight" in record["never_used"]


def test_what_does_not_fit_is_one_table(tmp_path):
    content = checkpoint_of()
    table = content["g_ema"]
    del table["renderer.network.4.sdf_linear.bias"]
    table["renderer.network.5.sdf_linear.bias"] = torch.zeros(2)
    table["renderer.network.5.extra"] = torch.zeros(1)
    error = refusal(tmp_path, content)
    assert isinstance(error, TensorsDoNotFit)
    assert "1 missing: renderer.network.4.sdf_linear.bias" in str(error)
    assert "1 unexpected: renderer.network.5.extra" in str(error)
    assert "renderer.network.5.sdf_linear.bias is [2], not [1]" in str(error)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("style.0.weight", "the tensor style.0.weight is missing"),
        ("decoder.noises.noise_0", "the tensor decoder.noises.noise_0 is missing"),
        ("feature_transfer.0.weight", "the tensor feature_transfer.0.weight is missing"),
        ("renderer.network.0.sdf_linear.weight", "it has 8 regions; expected 9"),
    ],
)
def test_tensors_that_say_the_sizes_must_be_there(tmp_path, missing, said):
    content = checkpoint_of()
    del content["g_ema"][missing]
    assert f"the generator is not understood: {said}" in str(refusal(tmp_path, content))


def test_without_the_averaged_generator_it_is_no_whole_checkpoint(tmp_path):
    content = checkpoint_of()
    del content["g_ema"]
    error = refusal(tmp_path, content)
    assert re.search(
        "no whole checkpoint of CNeRF: it holds .*expected tensors in 'g_ema'", str(error)
    )


def test_the_published_sizes_are_those_of_the_list(shared):
    """Names and shapes of all networks at their defaults."""
    networks = {
        "g_ema": lambda: RegionGenerator(RegionGeneratorConfig()),
        "gd": VolumeDiscriminator,
        "sd": SemanticDiscriminator,
        "d": FullDiscriminator,
    }
    listed: dict[str, dict[str, tuple[int, ...]]] = {name: {} for name in networks}
    with open(shared / "reference" / "cnerf_state_dict.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            shape = tuple(int(size) for size in row["shape"].split("x"))
            listed[row["module"].split()[0]][row["key"]] = shape
    for name, build in networks.items():
        assert shapes_of(build) == listed[name], name
