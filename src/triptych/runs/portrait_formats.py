"""The formats that a portrait is exported to, by name, as every front end offers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from triptych.progress import Progress, count_steps

if TYPE_CHECKING:
    from triptych.portrait import Portrait

_FRAMES = 60


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        title: What a person calls it.
        write: Writes a portrait into a folder and returns the files; imports what it needs.
    """

    title: str
    write: Callable[[Portrait, Path, Progress], list[Path]]


def _portrait(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    file = folder / "portrait.safetensors"
    portrait.save(file)
    return [file]


def _page(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.html.page import save_page

    file = folder / "portrait.html"
    save_page(file, portrait)
    return [file]


def _glb(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.texture import save_textured_mesh, textured_mesh

    file = folder / "portrait.glb"
    progress("unwrapping the mesh", 0, 1)
    save_textured_mesh(file, textured_mesh(portrait))
    progress("unwrapping the mesh", 1, 1)
    return [file]


def _solid(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.mesh import portrait_mesh, save_mesh

    file = folder / "portrait-solid.ply"
    save_mesh(file, portrait_mesh(portrait))
    return [file]


def _video(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.video import save_turntable

    file = folder / "portrait.mp4"
    step = count_steps(progress, "filming", _FRAMES)
    save_turntable(file, portrait, num_frames=_FRAMES, step=step)
    return [file]


def _picture(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.pictures import save_png, view_pictures

    file = folder / "portrait.png"
    (pixels,) = view_pictures(portrait, portrait.camera, max(512, portrait.picture_size))
    save_png(file, pixels)
    return [file]


FORMATS: dict[str, Format] = {
    "page": Format("live page (.html)", _page),
    "glb": Format("textured mesh (.glb)", _glb),
    "video": Format("video (.mp4)", _video),
    "picture": Format("picture (.png)", _picture),
    "solid": Format("watertight mesh (.ply)", _solid),
    "portrait": Format("portrait file (.safetensors)", _portrait),
}
