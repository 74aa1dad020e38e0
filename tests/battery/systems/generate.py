"""EG3D: a seed becomes a portrait."""

from __future__ import annotations

from pathlib import Path

import torch
from toy_portraits import tiny_generator, tiny_portrait
from toy_system import Command, Mistake, Stop, ToySystem

from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.weights import save_module


def make(device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> GeneratePipeline:
    hashes = {"generator": "1" * 64}
    return GeneratePipeline(tiny_generator(), "toy", hashes=hashes).to(device, dtype)


def command(folder: Path) -> Command:
    save_module(folder / "generator.safetensors", tiny_generator())
    tiny_portrait().save(folder / "portrait.safetensors")
    options = {"--seeds": "1-3", "--model": folder / "generator.safetensors", "--size": 16}
    return Command("generate", options)


SYSTEM = ToySystem(
    name="generate",
    make=make,
    arguments=lambda seed: {"seed": seed, "truncation_psi": 0.9},
    recorded={"model": "toy", "seed": 1, "truncation_psi": 0.9},
    mistakes=(
        Mistake({"seed": -1}, "seed: got -1; expected a whole number from 0 to 99999"),
        Mistake({"seed": 100_000}, "seed: got 100000"),
        Mistake({"seed": 10**400}, "seed: got 10000"),
        Mistake({"seed": 7.5}, "seed: got 7.5; expected a whole number"),
        Mistake({"seed": 7.0}, "seed: got 7.0; expected a whole number"),
        Mistake({"seed": "7"}, "seed: got '7'"),
        Mistake({"seed": True}, "seed: got True"),
        Mistake({"seed": None}, "seed: got None"),
        Mistake({"truncation_psi": -0.1}, "truncation_psi: got -0.1; expected a number from 0"),
        Mistake({"truncation_psi": 2.0}, "truncation_psi: got 2"),
        Mistake({"truncation_psi": float("nan")}, "truncation_psi: got nan"),
        Mistake({"truncation_psi": "1"}, "truncation_psi: got '1'"),
        Mistake({"truncation_psi": False}, "truncation_psi: got False"),
    ),
    command=command,
    portrait_file="seed00002.safetensors",
    stop=Stop("generating", 1),
    command_mistakes=(
        Mistake({"--seeds": "3-1"}, "runs backwards"),
        Mistake({"--seeds": "many"}, "seeds: got 'many'"),
        Mistake({"--seeds": "123456"}, "seeds: got 123456; .* .avatar models were trained on"),
        Mistake({"--seeds": "1-3,3029268929"}, "seeds: got 3029268929; .* 0 to 99999"),
        Mistake({"--seeds": "9999999999"}, "seeds: got 9999999999; .* to 4294967295"),
        Mistake({"--seeds": "7.5"}, "seeds: got '7.5'"),
        Mistake({"--truncation-psi": 7}, "truncation_psi: got 7"),
        Mistake({"--truncation-psi": "nan"}, "truncation_psi: got nan"),
        Mistake({"--size": 7}, "size: got 7"),
        Mistake({"--size": 20.5}, "--size"),
        Mistake({"--model": "{folder}/portrait.safetensors"}, "holds a .*Portrait; expected a Tri"),
        Mistake({"--model": "nobody"}, "there is no model or file 'nobody'"),
        Mistake({"--model": "absent.safetensors"}, "there is no file absent.safetensors"),
        Mistake({"--model": "avatar-editor"}, "of kind editor"),
    ),
)
