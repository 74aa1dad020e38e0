"""3DpSp: a picture becomes a portrait."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from toy_inversion import CAMERA, SETTINGS, head_of, toy_encoder, toy_pipeline
from toy_portraits import tiny_generator
from toy_system import Command, Mistake, Stop, ToySystem

from triptych.camera import Camera, look_at_camera
from triptych.export.pictures import colour_picture, save_png
from triptych.systems.invert.pipeline import InvertPipeline
from triptych.systems.invert.refinement.latent import KnownHeads
from triptych.systems.invert.settings import LatentSettings
from triptych.systems.stylize.settings import StylizeSettings
from triptych.weights import save_module

TOY_SETTINGS = dataclasses.replace(
    SETTINGS,
    steps=1,
    refine="pti",
    refine_camera=True,
    camera_steps=2,
    latent=LatentSettings(beyond=0.0, heads=2, steps=1),
    codes=dataclasses.replace(SETTINGS.codes, steps=3),
    tuning=dataclasses.replace(SETTINGS.tuning, steps=2),
)
NUM_KNOWN_HEADS = 50
PICTURE = head_of(tiny_generator())
NO_VIEWS = Camera(torch.zeros(0, 4, 4), torch.zeros(0, 3, 3))


def make(device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> InvertPipeline:
    """Every stage, among few known heads: thousands, as usual, would take seconds."""
    pipeline = toy_pipeline(tiny_generator()).to(device, dtype)
    pipeline.hashes = {"generator": "1" * 64, "encoder": "2" * 64}
    generator = pipeline.generator
    latents = torch.cat([generator.latent(seed) for seed in range(NUM_KNOWN_HEADS)])
    pipeline.refiner.known_heads = KnownHeads(latents, generator.mapping(latents)[:, 0])
    return pipeline


def command(folder: Path) -> Command:
    generator = tiny_generator()
    save_module(folder / "generator.safetensors", generator)
    save_module(folder / "encoder.safetensors", toy_encoder(generator), dtype=None)
    save_png(folder / "head.png", colour_picture(PICTURE[0]))
    label = [float(number) for number in CAMERA.label25()[0]]
    (folder / "head.json").write_text(json.dumps({"camera": label, "model": "avatar"}))
    (folder / "text.jpg").write_text("no picture")
    return Command(
        "invert",
        {
            "": folder / "head.png",
            "--model": folder / "generator.safetensors",
            "--encoder": folder / "encoder.safetensors",
            "--steps": 1,
            "--set": ('codes={"steps":3,"prior":0}', 'latent={"beyond":null}'),
        },
    )


SYSTEM = ToySystem(
    name="invert",
    long=True,
    make=make,
    arguments=lambda seed: {
        "picture": head_of(tiny_generator(), seed=seed),
        "camera": CAMERA,
        "settings": dataclasses.replace(TOY_SETTINGS, seed=seed),
    },
    recorded={"model": "toy", "networks": {"perceptual": "blocks", "identity": "blocks"}},
    stages=(
        "encoding",
        "refining the camera",
        "comparing known heads",
        "fitting the latent",
        "refining codes",
        "tuning",
    ),
    settings=(TOY_SETTINGS,),
    mistakes=(
        Mistake({"picture": torch.zeros(1, 3, 40, 32)}, "expected one square picture"),
        Mistake({"picture": torch.zeros(2, 3, 32, 32)}, "expected one square picture"),
        Mistake({"picture": torch.zeros(3, 32, 32)}, "aligned picture: got .*expected floats"),
        Mistake({"picture": torch.zeros(1, 3, 0, 0)}, "aligned picture: got"),
        Mistake({"picture": torch.zeros(1, 3, 32, 32).byte()}, "got torch.uint8"),
        Mistake({"picture": PICTURE * torch.nan}, "got values from nan"),
        Mistake(
            {"picture": (PICTURE + 1) * 127.5}, r"got values from \d.* to \d.*; expected -1 to 1"
        ),
        Mistake({"picture": np.zeros((32, 32, 3), np.uint8)}, "type ndarray; expected Tensor"),
        Mistake({"picture": None}, "aligned picture: got None"),
        Mistake({"camera": look_at_camera(torch.tensor([0.1, 0.2]), 0.0)}, "got 2 views"),
        Mistake({"camera": NO_VIEWS}, "camera of the picture: got 0 views; expected one"),
        Mistake({"camera": CAMERA.label25()}, "camera: got a value of type Tensor; expected Cam"),
        Mistake({"camera": None, "picture": None}, "picture: got NoneType"),
        Mistake({"camera": None, "picture": np.zeros((64, 64, 3))}, "picture: got ndarray"),
        Mistake({"camera": None, "picture": PICTURE * torch.nan}, "picture: got values from nan"),
        Mistake({"camera": None, "picture": torch.zeros(2, 3, 64, 64)}, "got 2 images"),
        Mistake({"camera": None, "picture": "absent.png"}, "cannot read absent.png"),
        Mistake({"face": 0}, "face: got 0; expected a whole number from 1"),
        Mistake({"face": 1.5}, "face: got 1.5"),
        Mistake({"face": "1"}, "face: got '1'"),
        Mistake({"face": True}, "face: got True"),
        Mistake({"settings": {"steps": 3}}, "settings: got a value of type dict; expected Inv"),
        Mistake({"settings": StylizeSettings()}, "settings: got a value of type StylizeSettings"),
    ),
    command=command,
    portrait_file="portrait.safetensors",
    stop=Stop("refining codes", 1),
    command_mistakes=(
        Mistake({"": "absent.jpg"}, "there is no photo absent.jpg"),
        Mistake({"": "{folder}/text.jpg"}, "not a picture that can be read"),
        Mistake({"--face": 0}, "--face: got 0"),
        Mistake({"--face": 1.5}, "--face"),
        Mistake({"--steps": 0}, "steps: got 0"),
        Mistake({"--steps": "many"}, "--steps"),
        Mistake({"--refine": "best"}, "--refine"),
        Mistake({"--set": "mirorr=1"}, "did you mean|known keys"),
        Mistake({"--set": "seed=-1"}, "seed: got -1"),
        Mistake({"--set": "views=7"}, "InvertSettings.views: got 7"),
        Mistake({"--encoder": "absent.safetensors"}, "no file absent.safetensors"),
        Mistake({"--encoder": "avatar-i2t"}, "of kind image-to-triplane"),
        Mistake({"--model": "unicorn"}, "no model or file 'unicorn'"),
    ),
)
