"""Two processes train both stages to the weights that one process gives, on the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch
from edit_pairs_folder import write_pairs
from toy_edit import TINY_LIVE3D, TINY_PROMPT, tiny_network
from toy_portraits import tiny_generator

from triptych.config import to_dict
from triptych.systems.edit.training import stage_one, stage_two
from triptych.weights import save_module

_STEPS = 4
_SMALL = {"discriminator_base": 64, "discriminator_group": 1, "batch": 2, "networks": "embedded"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["live3d", "edit"])
def test_torchrun_gives_the_weights_of_one_process(tmp_path, name):
    base, generator = tmp_path / "base.safetensors", tmp_path / "generator.safetensors"
    save_module(base, tiny_network(TINY_LIVE3D), dtype=None)
    save_module(generator, tiny_generator(), dtype=None)
    options = {
        "live3d": lambda: stage_one.Options(str(generator), start_from=str(base), **_SMALL),
        "edit": lambda: stage_two.Options(
            str(write_pairs(tmp_path / "pairs")),
            str(base),
            prompt=to_dict(TINY_PROMPT),
            adversarial_from=0,
            **_SMALL,
        ),
    }[name]()
    settings = [f"{key}={json.dumps(value)}" for key, value in asdict(options).items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    trained = []
    for count in (1, 2):
        several = ["torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29619", "-m"]
        launcher = [sys.executable, "-m", *(several if count > 1 else [])]
        run = tmp_path / f"run{count}"
        command = [*launcher, "triptych", "train", name, "--steps", str(_STEPS)]
        command += ["--run-dir", str(run), "--set", *settings, "threads=1"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        state = torch.load(run / "checkpoint.pt", weights_only=True)
        assert state["step"] == _STEPS
        trained.append(state["modules"]["network"])
    one, two = trained
    start = tiny_network(TINY_LIVE3D).state_dict()
    assert any(not torch.equal(one[key], value) for key, value in start.items())
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], atol=1e-4, rtol=1e-3, msg=key)
