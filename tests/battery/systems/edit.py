"""3DPE: a photo and a prompt become an edited portrait."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from toy_edit import TINY, pictures, tiny_network, tiny_rendering
from toy_system import Command, Mistake, Stop, ToySystem

from triptych.export.pictures import colour_picture, save_png
from triptych.systems.edit.network import PortraitEncoder, PortraitEncoderConfig, TextPromptConfig
from triptych.systems.edit.pipeline import EditPipeline
from triptych.systems.edit.residual_weights import ResidualWeights
from triptych.systems.edit.style import EditModel, EditStyle
from triptych.weights import save_module

REFERENCE = pictures(seed=9)


def network() -> PortraitEncoder:
    """Return a toy that takes words of the embedded editor's text encoder and keeps its base."""
    config = PortraitEncoderConfig(
        replace(TINY, keeps_base=True), tiny_rendering(), TextPromptConfig()
    )
    made = PortraitEncoder(config, rng=torch.Generator().manual_seed(0))
    return made.eval().requires_grad_(False)


def make(device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> EditPipeline:
    pipeline = EditPipeline(tiny_network(), name="toy", hashes={"portrait-encoder": "1" * 64})
    return pipeline.to(device, dtype)


def style_of_another_model() -> EditStyle:
    branch = tiny_network().encoder.Final_encoder
    residuals = ResidualWeights.untouched(branch, 1, torch.Generator().manual_seed(0))
    return EditStyle(EditModel("other", "2" * 64), torch.zeros(1, 2, 8), residuals)


def command(folder: Path) -> Command:
    """A portrait is edited: random networks find no face in a photo."""
    made = network()
    save_module(folder / "model.safetensors", made, dtype=None)
    rng = torch.Generator().manual_seed(0)
    planes = torch.randn(1, 3, 4, 32, 32, generator=rng)
    made.portrait(planes).save(folder / "head.safetensors")
    save_module(folder / "official.safetensors", tiny_network(), dtype=None)
    style_of_another_model().save(folder / "style.safetensors")
    save_png(folder / "statue.png", colour_picture(REFERENCE[0]))
    (folder / "text.jpg").write_text("no picture")
    options = {
        "": (folder / "head.safetensors", "a bronze statue"),
        "--model": folder / "model.safetensors",
        "--strength": 0.8,
        "--detector": "avatar",
    }
    return Command("edit", options)


SYSTEM = ToySystem(
    name="edit",
    long=True,
    make=make,
    arguments=lambda seed: {"photo": pictures(seed=seed), "reference": REFERENCE},
    recorded={"model": "toy", "strength": 1.0},
    mistakes=(
        Mistake({"photo": None}, "no photo: give a picture"),
        Mistake({"photo": torch.zeros(1, 3, 40, 32)}, "expected one square picture"),
        Mistake({"photo": torch.zeros(2, 3, 64, 64)}, "expected one square picture"),
        Mistake({"photo": torch.zeros(1, 3, 64, 64).byte()}, "got torch.uint8"),
        Mistake({"photo": pictures() * torch.nan}, "got values from nan"),
        Mistake({"photo": "absent.png"}, "this pipeline has no aligner"),
        Mistake({"reference": None}, "no prompt: say in words"),
        Mistake({"reference": pictures(2)}, "reference: got 2 pictures"),
        Mistake({"reference": "absent.png"}, "cannot read absent.png"),
        Mistake({"reference": np.zeros((64, 64, 3))}, "picture: got ndarray"),
        Mistake({"prompt": "an elf"}, "given as words and as a reference; give one of them"),
        Mistake({"prompt": "an elf", "reference": None}, "toy takes no words"),
        Mistake({"prompt": 7}, "prompt: got 7"),
        Mistake({"reference": None, "style": "absent.safetensors"}, "absent.safetensors"),
        Mistake(
            {"reference": None, "style": style_of_another_model()},
            "learned on the network .other. .222222222222.: got .toy.",
        ),
        Mistake({"style": style_of_another_model()}, "give one of them"),
        Mistake({"strength": 2.0}, "strength: got 2"),
        Mistake({"strength": "1"}, "strength: got '1'"),
        Mistake({"strength": 0.5}, "does not know the unedited head"),
        Mistake({"face": 0}, "face: got 0; expected a whole number from 1"),
        Mistake({"face": "1"}, "face: got '1'"),
        Mistake({"path": "quick"}, "path: got 'quick'"),
    ),
    command=command,
    portrait_file="portrait.safetensors",
    stop=Stop("filming", 1),
    command_mistakes=(
        Mistake({"": "{folder}/head.safetensors"}, "no prompt: say in words"),
        Mistake({"--reference": "{folder}/statue.png"}, "given as words and --reference"),
        Mistake({"--style": "{folder}/style.safetensors"}, "given as words and --style"),
        Mistake({"": "absent.jpg", "--reference": "{folder}/statue.png"}, "no photo absent.jpg"),
        Mistake(
            {"": "{folder}/text.jpg", "--reference": "{folder}/statue.png"},
            "not a picture that can be read",
        ),
        Mistake(
            {"": "{folder}/model.safetensors", "--reference": "{folder}/statue.png"},
            "holds a PortraitEncoder; expected a portrait",
        ),
        Mistake(
            {"": "{folder}/head.safetensors", "--reference": "absent.png"},
            "--reference: there is no file absent.png",
        ),
        Mistake(
            {"": "{folder}/head.safetensors", "--reference": "{folder}/text.jpg"},
            "not a picture that can be read",
        ),
        Mistake(
            {"": "{folder}/head.safetensors", "--style": "{folder}/style.safetensors"},
            "learned on the network .other.",
        ),
        Mistake(
            {"": "{folder}/head.safetensors", "--style": "{folder}/model.safetensors"},
            "expected a EditStyle|expected an EditStyle",
        ),
        Mistake({"--strength": 1.5}, "--strength: got 1.5"),
        Mistake({"--model": "{folder}/official.safetensors"}, "does not know the unedited head"),
        Mistake({"--face": 0}, "--face: got 0"),
        Mistake({"--model": "unicorn"}, "no model or file 'unicorn'"),
        Mistake({"--model": "avatar-editor"}, "of kind editor"),
        Mistake({"--model": "{folder}/head.safetensors"}, "expected a PortraitEncoder"),
    ),
)
