"""FF3D: words and a head become a stylised portrait."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from toy_stylize import TINY_SETTINGS, toy_head_generator, toy_image_to_triplane, toy_pipeline
from toy_system import Command, Mistake, Stop, ToySystem

from triptych.editors.image_editor import LONGEST_PROMPT, EditRequest
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.weights import save_module
from triptych.weights.registry import find_present

SETTINGS = dataclasses.replace(
    TINY_SETTINGS, num_yaw=2, num_pitch=2, edit_batch=2, steps=6, evaluate_every=3
)


def make(device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> StylizePipeline:
    return toy_pipeline().to(device, dtype)


def command(folder: Path) -> Command:
    """Toy networks, and the embedded editor: it is small, and random words edit nothing."""
    generator = toy_head_generator()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = AvatarFeatures(
            FeatureNetworkConfig(("a", "b"), attribute_dim=2, channels=(2, 2, 4, 4, 4))
        )
    models = folder / "models"
    models.mkdir()
    save_module(models / "generator.safetensors", generator, dtype=None)
    save_module(models / "i2t.safetensors", toy_image_to_triplane(generator), dtype=None)
    save_module(models / "features.safetensors", features)
    (models / "editor").symlink_to(find_present("avatar-editor", "editor"))
    settings = ("num_yaw=1", "num_pitch=1", "steps=5", "batch_views=2", "patch=16")
    options = {"": "a bronze statue", "--model": models, "--identity": 3, "--set": settings}
    return Command("stylize", options)


SYSTEM = ToySystem(
    name="stylize",
    make=make,
    arguments=lambda seed: {
        "prompt": "blue",
        "identity": seed,
        "seed": seed,
        "settings": SETTINGS,
    },
    recorded={"model": "tiny", "prompt": "blue", "seed": 1, "editor": "recolouring"},
    stages=("rendering views", "editing views", "fitting"),
    resumable=True,
    settings=(SETTINGS, EditRequest("blue")),
    mistakes=(
        Mistake({"prompt": "  \n"}, "the prompt is empty"),
        Mistake({"prompt": "x" * (LONGEST_PROMPT + 1)}, "too long: got 1001 characters"),
        Mistake({"prompt": None}, "prompt: got None; expected str"),
        Mistake({"prompt": b"blue"}, "prompt: got b.blue.; expected str"),
        Mistake({"prompt": 7}, "prompt: got 7; expected str"),
        Mistake({"identity": -1}, "identity: got -1"),
        Mistake({"identity": 1_000_000}, "identity: got 1000000"),
        Mistake({"identity": 7.5}, "identity: got 7.5"),
        Mistake({"identity": "7"}, "identity: got '7'"),
        Mistake({"identity": True}, "identity: got True"),
        Mistake({"seed": -1}, "seed: got -1"),
        Mistake(
            {"seed": 2**32}, "seed: got 4294967296; expected a whole number from 0 to 4294967295"
        ),
        Mistake({"seed": 7.5}, "seed: got 7.5"),
        Mistake({"seed": 7.0}, "seed: got 7.0; expected a whole number"),
        Mistake({"seed": "7"}, "seed: got '7'"),
        Mistake({"seed": True}, "seed: got True"),
        Mistake({"quality": "best", "settings": None}, "quality: got 'best'; expected one of"),
        Mistake({"quality": 3, "settings": None}, "quality: got 3"),
        Mistake({"settings": {"steps": 3}}, "settings: got a value of type dict; expected Sty"),
        Mistake({"settings": InvertSettings()}, "settings: got a value of type InvertSettings"),
        Mistake({"work_dir": 7}, "work_dir: got 7; expected str or Path"),
    ),
    command=command,
    portrait_file="portrait.safetensors",
    stop=Stop("fitting", 3),
    command_mistakes=(
        Mistake({"": ""}, "the prompt is empty"),
        Mistake({"": "x" * (LONGEST_PROMPT + 1)}, "the prompt is too long"),
        Mistake({"": "\u0431\u0440\u043e\u043d\u0437\u0430"}, "knows English words only"),
        Mistake({"--identity": "bob"}, "--identity: got 'bob'"),
        Mistake({"--identity": "-3"}, "--identity"),
        Mistake({"--identity": "7.5"}, "--identity: got '7.5'"),
        Mistake(
            {"--identity": "100000"},
            "identity: got 100000; .* to 99999 .avatar models were trained",
        ),
        Mistake(
            {"--identity": "{folder}/models/generator.safetensors"},
            "holds a TriPlaneGenerator; expected a portrait",
        ),
        Mistake({"--quality": "best"}, "quality: got 'best'"),
        Mistake({"--seed": "-1"}, "seed: got -1"),
        Mistake({"--seed": "7.5"}, "--seed"),
        Mistake({"--yaw-range-deg": 200}, "--yaw-range-deg: got 200"),
        Mistake({"--pitch-range-deg": "-1"}, "--pitch-range-deg"),
        Mistake({"--set": "stepz=3"}, "unknown key 'stepz' .* did you mean 'steps'"),
        Mistake({"--set": "steps=many"}, "steps: got 'many'; expected int"),
        Mistake({"--set": "steps=0"}, "steps: got 0"),
        Mistake({"--model": "nowhere"}, "there is no model or file 'nowhere'"),
    ),
)
