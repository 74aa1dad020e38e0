"""3DpSp's published checkpoint: its structure is read, its quirks are kept, its code is not run."""

from __future__ import annotations

import csv
import zipfile
from argparse import Namespace
from dataclasses import replace

import pytest
import torch
from threedpsp_checkpoints import TINY, checkpoint_of

from triptych.camera import frontal_camera
from triptych.errors import UserError
from triptych.systems.invert.encoder import PspEncoder, RestyleConfig, official_config
from triptych.systems.invert.loading import load_encoder
from triptych.weights import open_checkpoint, read_header, save_converted
from triptych.weights.converted import ConversionOptions
from triptych.weights.tensor_fit import shapes_of


def converted_encoder(folder, content: dict, **options) -> PspEncoder:
    """Save a checkpoint with torch, convert it and load what came of it."""
    torch.save(content, folder / "3DpSp.pt", **options)
    save_converted(open_checkpoint(folder / "3DpSp.pt"), folder / "encoder.safetensors")
    return load_encoder(folder / "encoder.safetensors")


def refusal(folder, content: object) -> str:
    """Return what is said about a checkpoint that is refused."""
    torch.save(content, folder / "x.pt")
    with pytest.raises(UserError) as caught:
        open_checkpoint(folder / "x.pt")
    return str(caught.value)


def test_sizes_and_quirks_of_the_checkpoint(tmp_path):
    content = checkpoint_of(TINY)
    encoder = converted_encoder(tmp_path, content)
    assert encoder.config == TINY
    assert (encoder.config.squeeze, encoder.config.restyle) == ("max", RestyleConfig())
    assert torch.equal(encoder.latent_mean, content["latent_avg"][0])
    assert bool((encoder.latent_std == 1).all())
    own = encoder.state_dict()
    assert all(torch.equal(own[name], value) for name, value in content["state_dict"].items())
    assert not encoder.training
    assert not any(p.requires_grad for p in encoder.parameters())


def test_the_converted_encoder_computes_the_same(tmp_path):
    content = checkpoint_of(TINY)
    expected = PspEncoder(TINY).eval()
    expected.load_state_dict(content["state_dict"], strict=False)
    encoder = converted_encoder(tmp_path, content)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    step = encoder(image, -image, frontal_camera())
    assert step.abs().max() > 0
    assert torch.equal(step, expected(image, -image, frontal_camera()))


def test_the_header_says_where_it_comes_from(tmp_path):
    converted_encoder(tmp_path, checkpoint_of(TINY))
    header = read_header(tmp_path / "encoder.safetensors")
    assert (header.class_name, header.licence) == ("PspEncoder", "MIT License of 3DpSp")
    record = header.provenance
    assert (record["system"], record["converted_from"]) == ("3DpSp", "3DpSp.pt")
    assert record["sha256"] == open_checkpoint(tmp_path / "3DpSp.pt").provenance["sha256"]
    assert "non-commercial" in record["remarks"][0]


def test_steps_and_camera_are_read(tmp_path):
    config = replace(TINY, camera_code=0)
    options = {"camera": False, "n_iters_per_batch": 3}
    encoder = converted_encoder(tmp_path, checkpoint_of(config, opts=options))
    assert encoder.config.camera_code == 0
    assert encoder.config.restyle.num_steps == 3


def test_options_may_be_a_namespace(tmp_path):
    content = checkpoint_of(TINY, opts=Namespace(n_iters_per_batch=2))
    assert converted_encoder(tmp_path, content).config.restyle.num_steps == 2


def test_old_torch_files_are_read_too(tmp_path):
    old = {"_use_new_zipfile_serialization": False}
    assert converted_encoder(tmp_path, checkpoint_of(TINY), **old).config == TINY


def test_the_optimiser_is_never_read(tmp_path):
    """Its numbers may be damaged without anyone noticing."""
    momentum = torch.full((5000,), 0.123)
    torch.save(checkpoint_of(TINY, optimizer={"state": {0: {"a": momentum}}}), tmp_path / "x.pt")
    content = (tmp_path / "x.pt").read_bytes()
    number = momentum[:2].numpy().tobytes()
    assert number in content
    (tmp_path / "x.pt").write_bytes(content.replace(number, b"\xff" * 8))
    with zipfile.ZipFile(tmp_path / "x.pt") as archive:
        assert archive.testzip() is not None
    save_converted(open_checkpoint(tmp_path / "x.pt"), tmp_path / "encoder.safetensors")
    assert load_encoder(tmp_path / "encoder.safetensors").config == TINY


class Opener:
    """What a malicious file would hold: a call that opens a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_in_the_file_is_not_run(tmp_path):
    said = refusal(tmp_path, checkpoint_of(TINY, opts=Opener(tmp_path / "trace")))
    assert "asks Python to run" in said
    assert not (tmp_path / "trace").exists()


def test_names_of_other_programs_are_refused(tmp_path):
    said = refusal(tmp_path, checkpoint_of(TINY, extra=torch.nn.Linear(1, 1)))
    assert "names torch.nn.modules.linear.Linear, which a file of" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"opts": None}, "no whole checkpoint of 3DpSp"),
        ({"latent_avg": [0.0]}, "no whole checkpoint of 3DpSp"),
        ({"latent_avg": torch.zeros(1, 2, 5)}, "latent_avg is [1, 2, 5]; expected [1, *(14, 5)]"),
        ({"opts": {"n_iters_per_batch": "5"}}, "'5' for 'n_iters_per_batch'; expected a whole"),
        ({"opts": {"n_iters_per_batch": 10**9}}, "expected a whole number from 1 to 50"),
        ({"state_dict": {"a": torch.zeros(1)}}, "no checkpoint of a known system: it holds"),
    ],
)
def test_other_files_are_described(tmp_path, change, said):
    assert said in refusal(tmp_path, checkpoint_of(TINY, **change))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("latlayer1.bias", "1 missing: latlayer1.bias"),
        ("styles.0.linear.weight", "the tensor styles.0.linear.weight is missing"),
        ("input_layer.0.weight", "the tensor input_layer.0.weight is missing"),
    ],
)
def test_a_missing_tensor_is_named(tmp_path, name, said):
    content = checkpoint_of(TINY)
    del content["state_dict"][name]
    assert said in refusal(tmp_path, content)


@pytest.mark.parametrize("name", ["styles.99.convs.99.weight", "body.7777777.res_layer.3.weight"])
def test_absurd_names_of_tensors_cost_nothing(tmp_path, name):
    content = checkpoint_of(TINY)
    content["state_dict"][name] = torch.zeros(1)
    assert "x.pt" in refusal(tmp_path, content)


def test_numbers_that_are_not_finite_are_damage(tmp_path):
    content = checkpoint_of(TINY, latent_avg=torch.full((1, 14, 5), torch.nan))
    with pytest.raises(UserError, match="latent_mean does not hold finite numbers"):
        converted_encoder(tmp_path, content)


def test_options_of_other_systems_are_refused(tmp_path):
    torch.save(checkpoint_of(TINY), tmp_path / "x.pt")
    with pytest.raises(UserError, match="of 3DpSp, which needs no --network"):
        open_checkpoint(tmp_path / "x.pt", ConversionOptions(network="D"))


def published_rows(shared) -> list[dict[str, str]]:
    with open(shared / "reference" / "3dpsp_state_dict.tsv", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def shape_of(row: dict[str, str]) -> tuple[int, ...]:
    return tuple(int(side) for side in row["shape"].strip("[]").split(",") if side)


def test_the_published_structure_is_the_official_one(shared):
    expected = {row["key"]: shape_of(row) for row in published_rows(shared)}
    expected |= {"latent_mean": (14, 512), "latent_std": (14, 512)}
    assert shapes_of(lambda: PspEncoder(official_config())) == expected


def test_a_file_of_published_structure_is_described(shared, tmp_path):
    """Every tensor shows one stored number many times: the description looks at shapes only."""
    state = {row["key"]: torch.zeros(()).expand(shape_of(row)) for row in published_rows(shared)}
    content = checkpoint_of(TINY, state_dict=state, latent_avg=torch.zeros(1, 14, 512))
    torch.save(content, tmp_path / "3DpSp.pt")
    found = open_checkpoint(tmp_path / "3DpSp.pt")
    assert found.config == official_config()
    assert ("style codes", "14 of 512") in found.report
    with pytest.raises(UserError, match="unfolds to"):
        found.read_tensors()


@pytest.mark.slow
def test_a_file_of_published_size(shared, tmp_path):
    rng = torch.Generator().manual_seed(0)
    state = {}
    for row in published_rows(shared):
        values = torch.rand(shape_of(row), generator=rng) * 0.1
        state[row["key"]] = values.long() if row["dtype"] == "int64" else values
    content = checkpoint_of(TINY, state_dict=state, latent_avg=torch.zeros(1, 14, 512))
    encoder = converted_encoder(tmp_path, content)
    assert encoder.config == official_config()
    assert sum(p.numel() for p in encoder.parameters()) == 230_163_968
    assert torch.equal(encoder.state_dict()["latlayer2.bias"], state["latlayer2.bias"])
