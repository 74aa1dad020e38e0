"""Two processes train both stages to the weights that one process gives, on the same batches."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from edit_pairs_folder import write_pairs
from toy_edit import TINY_LIVE3D, TINY_PROMPT, tiny_network
from toy_portraits import tiny_generator
from training_processes import train_in_processes

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
    one, two = (
        train_in_processes(count, name, tmp_path / f"run{count}", asdict(options), steps=_STEPS)[
            "modules"
        ]["network"]
        for count in (1, 2)
    )
    start = tiny_network(TINY_LIVE3D).state_dict()
    assert any(not torch.equal(one[key], value) for key, value in start.items())
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], atol=1e-4, rtol=1e-3, msg=key)
