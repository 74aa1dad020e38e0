"""The nodes: every way to a portrait, one look at it, and its files.

A portrait goes along the wires as it is in memory; nodes leave files in ComfyUI's output folder
only. Pipelines stay loaded between runs.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from comfy_api.latest import ComfyExtension, io

import triptych
from triptych.seeds import LAST_AVATAR_SEED

from .host import device_in_use, image_of, pixels_of, progress_of, save_files

CATEGORY = "triptych"
PORTRAIT = io.Custom("TRIPTYCH_PORTRAIT")


class Generate(io.ComfyNode):
    """The head of a seed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TriptychGenerate",
            display_name="Generate 3D portrait",
            category=CATEGORY,
            description="A 3D portrait of a person who does not exist.",
            inputs=[io.Int.Input("seed", default=0, min=0, max=LAST_AVATAR_SEED)],
            outputs=[PORTRAIT.Output(display_name="portrait")],
        )

    @classmethod
    def execute(cls, seed: int) -> io.NodeOutput:
        return io.NodeOutput(_pipeline("generate")(seed))


class Stylize(io.ComfyNode):
    """A portrait becomes what words say."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TriptychStylize",
            display_name="Stylize 3D portrait",
            category=CATEGORY,
            description="Fits a portrait to edits of its views (FF3D), which takes minutes.",
            inputs=[
                PORTRAIT.Input("portrait"),
                io.String.Input("prompt", default="a bronze statue"),
                io.Combo.Input("quality", options=["draft", "standard", "high"], default="draft"),
                io.Int.Input("seed", default=0, min=0, max=2**32 - 1),
            ],
            outputs=[PORTRAIT.Output(display_name="portrait")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, portrait: Any, prompt: str, quality: str, seed: int) -> io.NodeOutput:
        made = _pipeline("stylize")(
            prompt, identity=portrait, quality=quality, seed=seed, progress=progress_of(cls)
        )
        return io.NodeOutput(made.portrait)


class Edit(io.ComfyNode):
    """A portrait becomes what words or a picture show, in one pass."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TriptychEdit",
            display_name="Edit 3D portrait",
            category=CATEGORY,
            description="One pass (3DPE), by words or by a picture in the wanted style.",
            inputs=[
                PORTRAIT.Input("portrait"),
                io.String.Input("prompt", default="a zombie", tooltip="Unused with a reference"),
                io.Float.Input("strength", default=1.0, min=0.0, max=1.0, step=0.05),
                io.Image.Input("reference", optional=True),
            ],
            outputs=[PORTRAIT.Output(display_name="portrait")],
        )

    @classmethod
    def execute(
        cls, portrait: Any, prompt: str, strength: float, reference: Any = None
    ) -> io.NodeOutput:
        asked = {"prompt": prompt} if reference is None else {"reference": pixels_of(reference)}
        return io.NodeOutput(_pipeline("edit")(portrait, **asked, strength=strength).portrait)


class FromPhoto(io.ComfyNode):
    """The person in a photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TriptychFromPhoto",
            display_name="Photo to 3D portrait",
            category=CATEGORY,
            description="likeness: an avatar warped to the photo (lift); avatar: the most similar "
            "head of the generator (3DpSp).",
            inputs=[
                io.Image.Input("image"),
                io.Combo.Input("method", options=["likeness", "avatar"], default="likeness"),
                io.Int.Input("face", default=1, min=1, max=20, tooltip="1 is the largest"),
            ],
            outputs=[PORTRAIT.Output(display_name="portrait")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, image: Any, method: str, face: int) -> io.NodeOutput:
        pipeline = _pipeline("lift" if method == "likeness" else "invert")
        made = pipeline(pixels_of(image), face=face, progress=progress_of(cls))
        return io.NodeOutput(made.portrait)


class View(io.ComfyNode):
    """One look at a portrait."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TriptychView",
            display_name="Render 3D portrait",
            category=CATEGORY,
            description="A picture of a portrait from one side, and its mask.",
            inputs=[
                PORTRAIT.Input("portrait"),
                io.Float.Input("yaw_deg", default=0.0, min=-90.0, max=90.0, step=1.0),
                io.Float.Input("pitch_deg", default=0.0, min=-60.0, max=60.0, step=1.0),
                io.Int.Input("size", default=512, min=16, max=2048),
            ],
            outputs=[io.Image.Output(), io.Mask.Output()],
        )

    @classmethod
    def execute(cls, portrait: Any, yaw_deg: float, pitch_deg: float, size: int) -> io.NodeOutput:
        camera = portrait.orbit(math.radians(yaw_deg), math.radians(pitch_deg))
        view = portrait.render(camera, size)
        return io.NodeOutput(image_of(view.image), view.alpha[:, 0].float().cpu())


class Export(io.ComfyNode):
    """Files of a portrait, in ComfyUI's output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from triptych.runs.portrait_formats import FORMATS

        offered = [name for name, entry in FORMATS.items() if entry.is_offered]
        return io.Schema(
            node_id="TriptychExport",
            display_name="Save 3D portrait",
            category=CATEGORY,
            description="Writes a mesh, a live page, a video or other files.",
            inputs=[
                PORTRAIT.Input("portrait"),
                io.Combo.Input("format", options=offered, default="glb"),
                io.String.Input("filename_prefix", default="triptych/portrait"),
            ],
            outputs=[io.String.Output(display_name="file")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, portrait: Any, format: str, filename_prefix: str) -> io.NodeOutput:
        from triptych.runs.portrait_formats import FORMATS

        progress = progress_of(cls)
        saved = save_files(
            lambda folder: FORMATS[format].write(portrait, folder, progress), filename_prefix
        )
        first = "/".join(filter(None, (saved[0]["subfolder"], saved[0]["filename"])))
        return io.NodeOutput(first, ui={"3d" if format == "glb" else "files": saved})


@lru_cache(maxsize=8)
def _pipeline(system: str) -> Any:
    pipeline = getattr(triptych, f"{system.capitalize()}Pipeline")
    return pipeline.from_pretrained(device=device_in_use())


class TriptychExtension(ComfyExtension):
    """All nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [Generate, Stylize, Edit, FromPhoto, View, Export]


async def comfy_entrypoint() -> TriptychExtension:
    return TriptychExtension()
