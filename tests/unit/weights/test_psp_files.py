"""3DpSp's published checkpoint: its structure is read, its quirks are kept, its code is not run."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
import torch

from triptych.camera import frontal_camera
from triptych.errors import UserError
from triptych.systems.invert.checks import load_encoder
from triptych.systems.invert.encoder import PspConfig, PspEncoder, RestyleConfig, official_config
from triptych.weights import save_module
from triptych.weights.psp_files import import_3dpsp

TINY = PspConfig(
    image_size=64,
    widths=(4, 6, 8, 10),
    units=(3, 4, 5, 3),
    head_width=6,
    heads=(3, 4, 7),
    w_dim=5,
    camera_code=4,
)


def checkpoint_of(config: PspConfig, **changes) -> dict:
    """Return a checkpoint with the structure of the published file."""
    encoder = PspEncoder(config)
    state = {k: v for k, v in encoder.state_dict().items() if not k.startswith("latent_")}
    content = {
        "state_dict": state,
        "latent_avg": torch.randn(1, config.num_ws, config.w_dim),
        "opts": {
            "camera": True,
            "n_iters_per_batch": 5,
            "device": torch.device("cpu"),
            "optim_name": "ranger",
        },
        "best_val_loss": torch.tensor(0.5),
        "step": 20_000,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
    }
    return {**content, **changes}


def test_sizes_and_quirks_of_the_checkpoint(tmp_path):
    content = checkpoint_of(TINY)
    torch.save(content, tmp_path / "3DpSp.pt")
    encoder = import_3dpsp(tmp_path / "3DpSp.pt")
    assert encoder.config == TINY
    assert (encoder.config.squeeze, encoder.config.restyle) == ("max", RestyleConfig())
    assert torch.equal(encoder.latent_mean, content["latent_avg"][0])
    assert bool((encoder.latent_std == 1).all())
    own = encoder.state_dict()
    assert all(torch.equal(own[name], value) for name, value in content["state_dict"].items())
    assert not encoder.training
    assert not any(p.requires_grad for p in encoder.parameters())


def test_steps_and_camera_are_read(tmp_path):
    config = replace(TINY, camera_code=0)
    options = {"camera": False, "n_iters_per_batch": 3}
    torch.save(checkpoint_of(config, opts=options), tmp_path / "a.pt")
    encoder = import_3dpsp(tmp_path / "a.pt")
    assert encoder.config.camera_code == 0
    assert encoder.config.restyle.num_steps == 3


def test_old_torch_files_are_read_too(tmp_path):
    torch.save(checkpoint_of(TINY), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert import_3dpsp(tmp_path / "old.pt").config == TINY


def test_an_imported_encoder_is_kept_as_safetensors(tmp_path):
    torch.save(checkpoint_of(TINY), tmp_path / "3DpSp.pt")
    encoder = import_3dpsp(tmp_path / "3DpSp.pt")
    save_module(tmp_path / "mine.safetensors", encoder, licence="MIT", dtype=None)
    loaded = load_encoder(tmp_path / "mine.safetensors")
    assert loaded.config == encoder.config
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(
        loaded(image, image, frontal_camera()), encoder(image, image, frontal_camera())
    )


class Opener:
    """What a malicious file would hold: a call that opens a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_in_the_file_is_not_run(tmp_path):
    torch.save(checkpoint_of(TINY, opts=Opener(tmp_path / "trace")), tmp_path / "evil.pt")
    with pytest.raises(UserError, match="is refused"):
        import_3dpsp(tmp_path / "evil.pt")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"opts": None}, "not a 3DpSp checkpoint.*'latent_avg'"),
        ({"state_dict": {"a": 3}}, "not a 3DpSp checkpoint"),
        ({"state_dict": {"a": torch.zeros(1)}}, "another network"),
        ({"latent_avg": torch.zeros(1, 2, 5)}, "latent_avg is"),
        ({"opts": {"n_iters_per_batch": "5"}}, "style heads or options"),
    ],
)
def test_other_files_are_named(tmp_path, change, message):
    torch.save(checkpoint_of(TINY, **change), tmp_path / "x.pt")
    with pytest.raises(UserError, match=message):
        import_3dpsp(tmp_path / "x.pt")


def test_a_missing_tensor_is_named(tmp_path):
    content = checkpoint_of(TINY)
    del content["state_dict"]["latlayer1.bias"]
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(UserError, match="1 missing: latlayer1.bias"):
        import_3dpsp(tmp_path / "x.pt")


def test_absent_and_broken_files(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        import_3dpsp(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("words")
    with pytest.raises(UserError, match="is broken"):
        import_3dpsp(tmp_path / "text.pt")
    torch.save(checkpoint_of(TINY), tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:5000])
    with pytest.raises(UserError, match="is broken|cannot read"):
        import_3dpsp(tmp_path / "cut.pt")
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(UserError, match="expected a dictionary"):
        import_3dpsp(tmp_path / "list.pt")


@pytest.mark.slow
def test_a_file_of_published_size(shared, tmp_path):
    with open(shared / "reference" / "3dpsp_state_dict.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    rng = torch.Generator().manual_seed(0)
    state = {}
    for row in rows:
        shape = [int(side) for side in row["shape"].strip("[]").split(",") if side]
        counts = row["dtype"] == "int64"
        values = torch.rand(shape, generator=rng) * 0.1
        state[row["key"]] = torch.zeros(shape, dtype=torch.int64) if counts else values
    content = checkpoint_of(TINY, state_dict=state, latent_avg=torch.zeros(1, 14, 512))
    torch.save(content, tmp_path / "3DpSp.pt")
    encoder = import_3dpsp(tmp_path / "3DpSp.pt")
    assert encoder.config == official_config()
    assert sum(p.numel() for p in encoder.parameters()) == 230_163_968
    assert torch.equal(encoder.state_dict()["latlayer2.bias"], state["latlayer2.bias"])
