"""Two processes train the encoder to the weights that one process gives, on the same batches."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from psp_training import write_options
from training_processes import train_in_processes

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
    trained = []
    for count in (1, 2):
        run = tmp_path / f"run{count}"
        state = train_in_processes(
            count, "psp", run, asdict(options), steps=_STEPS, loop="warmup_steps=1"
        )
        assert read_header(run / "psp.safetensors").metrics["psnr"] > 0
        trained.append(state["modules"]["encoder"])
    one, two = trained
    start = load_encoder(options.start_from).state_dict()
    assert sum(not torch.equal(one[name], start[name]) for name in one) > 0.9 * len(one) - 2
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], atol=1e-4, rtol=1e-3, msg=name)
