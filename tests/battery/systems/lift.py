"""Lift: a photo becomes a likeness."""

from __future__ import annotations

from pathlib import Path

import torch
from toy_lift import CAMERA, SETTINGS, picture, toy_pipeline
from toy_system import Command, Mistake, Stop, ToySystem

from triptych.camera import Camera, look_at_camera
from triptych.export.pictures import colour_picture, save_png
from triptych.portrait import TriPlanePortrait
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.lift.pipeline import LiftPipeline
from triptych.weights import load_generator

NO_VIEWS = Camera(torch.zeros(0, 4, 4), torch.zeros(0, 3, 3))
QUICK = (
    "trials=none",
    "grid=64",
    "plane_sizes=[32]",
    "plane_rates=[1.0]",
    'space={"steps":6}',
    'rays={"steps":6,"rays":128,"front_views":1,"side_views":1,"size":32}',
    "image_size=32",
)


def make(device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> LiftPipeline:
    return toy_pipeline().to(device, dtype)


def command(folder: Path) -> Command:
    """The embedded networks: random ones find no face. The photo is one of the avatars."""
    generator = load_generator()
    head = TriPlanePortrait.from_generator(generator, generator.mapping(generator.latent(5)))
    shown = head.render(look_at_camera(0.1, 0.0), 192).image
    save_png(folder / "photo.png", colour_picture(shown[0]))
    save_png(folder / "nobody.png", colour_picture(torch.full_like(shown[0], 0.2)))
    (folder / "text.jpg").write_text("no picture")
    options = {
        "": folder / "photo.png",
        "--detector": "avatar",
        "--quality": "draft",
        "--set": QUICK,
    }
    return Command("lift", options)


SYSTEM = ToySystem(
    name="lift",
    long=True,
    make=make,
    arguments=lambda seed: {"picture": picture(seed), "camera": CAMERA, "settings": SETTINGS},
    recorded={"model": "toy"},
    stages=("finding an avatar", "shaping", "colouring", "fitting in space", "fitting rays"),
    settings=(SETTINGS,),
    mistakes=(
        Mistake({"picture": torch.zeros(1, 3, 40, 32)}, "expected one square picture"),
        Mistake({"picture": torch.zeros(2, 3, 32, 32)}, "expected one square picture"),
        Mistake({"picture": torch.zeros(3, 32, 32)}, "aligned picture: got .*expected floats"),
        Mistake({"picture": torch.zeros(1, 3, 32, 32).byte()}, "got torch.uint8"),
        Mistake({"picture": picture() * torch.nan}, "got values from nan"),
        Mistake({"picture": None}, "aligned picture: got None"),
        Mistake({"camera": look_at_camera(torch.tensor([0.1, 0.2]), 0.0)}, "got 2 views"),
        Mistake({"camera": NO_VIEWS}, "camera of the picture: got 0 views; expected one"),
        Mistake({"camera": CAMERA.label25()}, "camera: got a value of type Tensor; expected Cam"),
        Mistake({"camera": look_at_camera(0.7, 0.0)}, "turned 40 degrees .* at most 35"),
        Mistake({"camera": None, "picture": None}, "picture: got NoneType"),
        Mistake({"camera": None, "picture": "absent.png"}, "cannot read absent.png"),
        Mistake({"face": 0}, "face: got 0; expected a whole number from 1"),
        Mistake({"face": "1"}, "face: got '1'"),
        Mistake({"anyway": 1}, "anyway: got 1; expected bool"),
        Mistake({"settings": {"grid": 24}}, "settings: got a value of type dict; expected Lift"),
        Mistake({"settings": InvertSettings()}, "settings: got a value of type InvertSettings"),
    ),
    command=command,
    resumable=True,
    kept_stages=("finding an avatar",),
    portrait_file="portrait.safetensors",
    stop=Stop("fitting rays", 3),
    command_mistakes=(
        Mistake({"": "absent.jpg"}, "there is no photo absent.jpg"),
        Mistake({"": "{folder}/text.jpg"}, "not a picture that can be read"),
        Mistake({"": "{folder}/nobody.png"}, "no face found in nobody.png"),
        Mistake({"--face": 0}, "--face: got 0"),
        Mistake({"--face": 2}, "shows one face; got face 2"),
        Mistake({"--quality": "best"}, "--quality"),
        Mistake({"--set": "gird=64"}, "did you mean 'grid'"),
        Mistake({"--set": "grid=8"}, "grid: got 8"),
        Mistake({"--set": "plane_sizes=[64,32]"}, "expected a rate for each size|rising sizes"),
        Mistake({"--model": "unicorn"}, "no model or file 'unicorn'"),
    ),
)
