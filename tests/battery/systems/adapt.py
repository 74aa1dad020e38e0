"""PStyle-3D: artworks become a style, which a head of the generator wears."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from toy_portraits import tiny_generator, tiny_portrait
from toy_system import Command, Mistake, Stop, ToySystem

from triptych.photos.aligner import PhotoAligner
from triptych.photos.artworks import Artwork
from triptych.portrait import TriPlanePortrait
from triptych.systems.adapt.few_shot import FewShotSettings
from triptych.systems.adapt.pipeline import AdaptPipeline
from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.weights import save_module

SETTINGS = FewShotSettings(steps=3, heads=1, check_every=2, view_size=16)
HASHES = {"generator": "1" * 64}


class Blocks:
    """Features and identity of pictures: coarse copies of them."""

    def __call__(self, image):
        return {"coarse": F.avg_pool2d(image, 4), "coarser": F.avg_pool2d(image, 8)}

    def embed(self, image):
        return F.normalize(F.adaptive_avg_pool2d(image, 4).flatten(1), dim=1)


class HeadInAStyle:
    """Learns a style and shows a head in it: what a user does with `adapt`, then `generate`."""

    def __init__(self, device: torch.device | str, dtype: torch.dtype | None) -> None:
        blocks = Blocks()
        self.learn = AdaptPipeline(
            tiny_generator(), blocks, blocks, PhotoAligner(), name="toy", hashes=HASHES
        )
        self.show = GeneratePipeline(tiny_generator(), "toy", hashes=HASHES)
        self.to(device, dtype)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> HeadInAStyle:
        self.learn.to(device)
        self.show.to(device, dtype)
        return self

    def __call__(
        self,
        artworks: list[Artwork],
        settings: FewShotSettings,
        licence: str = "CC0",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> TriPlanePortrait:
        pack = self.learn(artworks, licence=licence, settings=settings, progress=progress)
        return dataclasses.replace(self.show(5, style=pack), provenance=pack.provenance)


def artworks(seed: int) -> list[Artwork]:
    colour = torch.tensor([0.9, -0.4 * seed, 0.1]).reshape(1, 3, 1, 1)
    picture = colour.expand(1, 3, 32, 32).contiguous()
    return [Artwork(f"{index}.png", picture * (1 - 0.1 * index), None) for index in range(4)]


def command(folder: Path) -> Command:
    save_module(folder / "generator.safetensors", tiny_generator())
    tiny_portrait().save(folder / "portrait.safetensors")
    (folder / "paintings").mkdir()
    (folder / "empty").mkdir()
    (folder / "text.png").write_text("no picture")
    Image.fromarray(np.full((24, 24, 3), 90, np.uint8)).save(folder / "paintings" / "a.png")
    return Command("adapt", {"": folder / "paintings", "--model": folder / "generator.safetensors"})


def refused(said: str, **changes: object) -> Mistake:
    """Return options that are refused, with a file to write."""
    options = {{"pictures": ""}.get(name, f"--{name}"): value for name, value in changes.items()}
    return Mistake({"--out": "style.safetensors", **options}, said)


SYSTEM = ToySystem(
    name="adapt",
    make=lambda device="cpu", dtype=None: HeadInAStyle(device, dtype),
    arguments=lambda seed: {"artworks": artworks(seed), "settings": SETTINGS},
    recorded={"model": "toy", "artworks": ["0.png", "1.png", "2.png", "3.png"]},
    stages=("learning the style",),
    settings=(SETTINGS,),
    mistakes=(
        Mistake({"artworks": []}, "artworks: got none; expected at least one"),
        Mistake({"artworks": None}, "artworks: got None; expected a sequence, each Artwork"),
        Mistake({"artworks": artworks(1)[0]}, "artworks: got a value of type Artwork"),
        Mistake({"artworks": ["a.png"]}, "artworks"),
        Mistake({"licence": 7}, "licence: got 7"),
        Mistake({"settings": {"steps": 3}}, "settings: got a value of type dict"),
    ),
    command=command,
    portrait_file="",
    stop=Stop("learning the style", 1),
    command_mistakes=(
        Mistake({}, "out.*safetensors"),
        refused("there is no picture or folder absent", pictures="absent"),
        refused("no photos below", pictures="{folder}/empty"),
        refused("no picture can be used: .*text.png", pictures="{folder}/text.png"),
        refused("steps: got 0", set="steps=0"),
        refused("did you mean 'steps'", set="step=3"),
        refused("licence: got 501 letters", licence="x" * 501),
        refused("--detector", detector="eyes"),
        refused("no model or file 'nobody'", model="nobody"),
        refused("holds a .*Portrait; expected a Tri", model="{folder}/portrait.safetensors"),
    ),
)
