"""Two processes train the encoder to the weights that one process gives, on the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch
from psp_training import write_options

from triptych.systems.invert.loading import load_encoder
from triptych.weights import read_header

_STEPS = 6


@pytest.mark.slow
def test_torchrun_gives_the_weights_of_one_process(tmp_path, toy_generator):
    options = write_options(
        tmp_path,
        toy_generator,
        own_share=0.3,
        domain_randomisation=0.3,
        warm_up=0.3,
        half_precision=False,
    )
    settings = [f"{key}={json.dumps(value)}" for key, value in asdict(options).items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    trained = []
    for count in (1, 2):
        several = ["torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29618", "-m"]
        launcher = [sys.executable, "-m", *(several if count > 1 else [])]
        run = tmp_path / f"run{count}"
        command = [*launcher, "triptych", "train", "psp", "--steps", str(_STEPS)]
        command += ["--run-dir", str(run), "--set", *settings, "warmup_steps=1", "threads=1"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert read_header(run / "psp.safetensors").metrics["psnr"] > 0
        state = torch.load(run / "checkpoint.pt", weights_only=True)
        assert state["step"] == _STEPS
        trained.append(state["modules"]["encoder"])
    one, two = trained
    start = load_encoder(options.start_from).state_dict()
    assert sum(not torch.equal(one[name], start[name]) for name in one) > 0.9 * len(one) - 2
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], atol=1e-4, rtol=1e-3, msg=name)
