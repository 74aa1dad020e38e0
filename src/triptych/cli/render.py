"""`triptych render`: one picture of a portrait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, MaybeInt
from triptych.errors import check_range
from triptych.files import check_output_file
from triptych.runs import console


@dataclass(frozen=True)
class Render:
    """Render a portrait from one side and save the picture."""

    portrait: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PORTRAIT")]
    """A portrait file (.safetensors), which other verbs make."""
    out: Path = Path("side.png")
    """Picture to write (.png)."""
    yaw_deg: float = 0.0
    """Degrees from the front, -180 to 180; positive moves the camera to the right."""
    pitch_deg: float = 0.0
    """Degrees above the horizon, -89 to 89."""
    size: MaybeInt = None
    """Side of the picture in pixels, 16 to 2048; by default 256, or the size that the portrait
    upsamples to."""
    supersampling: int = 1
    """Rays per pixel along each side, 1 to 4, for smoother edges."""
    path: Literal["fast", "fast-float32", "exact"] = "fast"
    """Renderer: exact is the published algorithm; the fast ones show the same, much sooner."""
    transparent: bool = False
    """Leave the background out: the picture gets an alpha channel."""
    depth: bool = False
    """Also write a picture of the depth, beside the first with -depth in its name."""
    normals: bool = False
    """Also write a picture of the surface normals, with -normals in its name."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace pictures that exist."""

    def run(self) -> None:
        """Do the work."""
        check_range("--yaw-deg", self.yaw_deg, -180, 180)
        check_range("--pitch-deg", self.pitch_deg, -89, 89)
        check_range("--supersampling", self.supersampling, 1, 4)
        if self.size is not None:
            check_range("--size", self.size, 16, 2048)
        files = {"colour": self.out}
        for kind in ("depth", "normals"):
            if getattr(self, kind):
                files[kind] = self.out.with_name(f"{self.out.stem}-{kind}{self.out.suffix}")
        for file in files.values():
            check_output_file(file, (".png",), overwrite=self.overwrite)
        from triptych.export.pictures import (
            colour_picture,
            depth_picture,
            normal_picture,
            save_png,
            transparent_picture,
        )
        from triptych.portrait import Portrait
        from triptych.runs.device import choose_device

        portrait = Portrait.load(self.portrait, choose_device(self.device))
        yaw, pitch = math.radians(self.yaw_deg), math.radians(self.pitch_deg)
        camera = portrait.orbit(yaw, pitch)
        size = portrait.picture_size if self.size is None else self.size
        view = portrait.render(camera, size, supersampling=self.supersampling, path=self.path)
        pictures = {
            "colour": lambda: (
                transparent_picture(view, portrait.rendering.background)
                if self.transparent
                else colour_picture(view.image[0])
            ),
            "depth": lambda: depth_picture(view),
            "normals": lambda: normal_picture(view, camera),
        }
        for kind, file in files.items():
            save_png(file, pictures[kind]())
            console.result(str(file))
        console.note(f"rendered on the {view.path} path")
