"""CNeRF: a seed becomes a portrait, some of its regions of other seeds."""

from __future__ import annotations

from pathlib import Path

import torch
from toy_compose import tiny_region_generator
from toy_portraits import tiny_portrait
from toy_system import Command, Mistake, Stop, ToySystem

from triptych.systems.compose.pipeline import ComposePipeline, RegionChoice
from triptych.weights import save_module


def make(device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> ComposePipeline:
    hashes = {"region-generator": "1" * 64}
    return ComposePipeline(tiny_region_generator(), "toy", hashes=hashes).to(device, dtype)


def command(folder: Path) -> Command:
    save_module(folder / "composer.safetensors", tiny_region_generator(), dtype=None)
    tiny_portrait().save(folder / "portrait.safetensors")
    options = {
        "--seeds": "1",
        "--model": folder / "composer.safetensors",
        "--size": 16,
        "--region": "hair=7",
    }
    return Command("compose", options)


HAIR = RegionChoice("hair", 7)

SYSTEM = ToySystem(
    name="compose",
    long=True,
    make=make,
    arguments=lambda seed: {"seed": seed, "regions": [HAIR], "truncation_psi": 0.9},
    recorded={
        "model": "toy",
        "seed": 1,
        "regions": [{"region": "hair", "seed": 7, "aspect": "both"}],
        "truncation_psi": 0.9,
        "truncation": "single",
    },
    mistakes=(
        Mistake({"seed": -1}, "seed: got -1; expected a whole number from 0 to 99999"),
        Mistake({"seed": 7.5}, "seed: got 7.5"),
        Mistake({"seed": "7"}, "seed: got '7'"),
        Mistake({"seed": True}, "seed: got True"),
        Mistake({"truncation_psi": 2.0}, "truncation_psi: got 2"),
        Mistake({"truncation_psi": float("nan")}, "truncation_psi: got nan"),
        Mistake({"truncation": "twice"}, "truncation: got 'twice'; expected one of single"),
        Mistake({"semantics": "false"}, "semantics: got 'false'; expected one of true, published"),
        Mistake({"regions": "hair=7"}, "regions: got .hair=7.; expected list"),
        Mistake({"regions": [("hair", 7)]}, "regions: got a value of type tuple; expected Region"),
        Mistake({"regions": [RegionChoice("hiar", 7)]}, "unknown region 'hiar'.*mean 'hair'"),
        Mistake({"regions": [HAIR, HAIR]}, "region 'hair' is given twice"),
        Mistake({"only": "hair"}, "only: got .hair.; expected list or tuple"),
        Mistake({"only": []}, "only: got no region"),
        Mistake({"only": ["hair", "hair"]}, "only: region 'hair' is given twice"),
        Mistake({"only": ["wig"]}, "unknown region 'wig'"),
    ),
    command=command,
    portrait_file="portrait.safetensors",
    stop=Stop("filming", 1),
    command_mistakes=(
        Mistake({"--seeds": "3-1"}, "runs backwards"),
        Mistake({"--seeds": "123456"}, "seeds: got 123456"),
        Mistake({"--seeds": ""}, "seeds or a portrait: got neither"),
        Mistake({"": "{folder}/portrait.safetensors"}, "seeds or a portrait: got both"),
        Mistake({"--region": "hair"}, "region: got 'hair'; expected NAME=SEED"),
        Mistake({"--region": "hair=x"}, "region: got 'hair=x'"),
        Mistake({"--region": "hiar=7"}, "unknown region 'hiar'.*did you mean 'hair'"),
        Mistake({"--region": "hair.size=7"}, "aspect of region 'hair': got 'size'"),
        Mistake({"--region": "hair=100000"}, "seed of region 'hair': got 100000"),
        Mistake({"--interpolate": "hiar=7"}, "unknown region 'hiar'"),
        Mistake({"--only": ""}, "only: got no region"),
        Mistake({"--only": "hair,hair"}, "only: region 'hair' is given twice"),
        Mistake({"--frames": 1}, "frames: got 1"),
        Mistake({"--truncation-psi": 7}, "truncation_psi: got 7"),
        Mistake({"--size": 7}, "size: got 7"),
        Mistake({"--model": "{folder}/portrait.safetensors"}, "expected a RegionGenerator"),
        Mistake({"--model": "nobody"}, "there is no model or file 'nobody'"),
        Mistake({"--model": "avatar-editor"}, "of kind editor"),
    ),
)
