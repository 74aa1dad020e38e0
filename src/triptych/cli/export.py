"""`triptych export`: a portrait as a live page, as a mesh and as a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from triptych.cli.options import DeviceName, MaybeInt, MaybePath
from triptych.errors import UserError, check_range
from triptych.files import check_output_file
from triptych.runs import console


@dataclass(frozen=True)
class Export:
    """Write a portrait as a live HTML page, as a coloured mesh or as a turntable video."""

    portrait: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PORTRAIT")]
    """A portrait.safetensors that stylize or generate wrote."""
    html: MaybePath = None
    """Page to write (.html): one file that renders the portrait live in any browser with WebGL2."""
    mesh: MaybePath = None
    """Mesh to write, y up: .glb with a texture, or .ply or .obj with vertex colours."""
    video: MaybePath = None
    """Video to write (.mp4): the head turns from side to side."""
    resolution: int = 160
    """Samples along each side of the mesh's grid, 16 to 512; time grows with its cube."""
    texture: int = 1024
    """Side of a .glb mesh's texture, 64 to 4096; 0 writes vertex colours and all triangles."""
    frames: int = 60
    """Frames of the video, 1 to 10000, at 30 per second."""
    size: MaybeInt = None
    """Side of the video in pixels, 16 to 2048; by default 256, or the size that the portrait
    upsamples to."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace files that exist."""

    def run(self) -> None:
        """Do the work."""
        if self.html is None and self.mesh is None and self.video is None:
            raise UserError(
                "nothing to export: give --html FILE.html, --mesh FILE.glb or --video FILE.mp4"
            )
        check_range("--resolution", self.resolution, 16, 512)
        check_range("--frames", self.frames, 1, 10_000)
        if self.texture:
            check_range("--texture", self.texture, 64, 4096)
        if self.size is not None:
            check_range("--size", self.size, 16, 2048)
        if self.html is not None:
            check_output_file(self.html, (".html",), overwrite=self.overwrite)
        if self.mesh is not None:
            check_output_file(self.mesh, (".glb", ".ply", ".obj"), overwrite=self.overwrite)
        if self.video is not None:
            check_output_file(self.video, (".mp4",), overwrite=self.overwrite)
        from triptych.export.h264 import find_ffmpeg
        from triptych.export.html.page import save_page
        from triptych.export.mesh import portrait_mesh, save_mesh
        from triptych.export.texture import save_textured_mesh, textured_mesh
        from triptych.export.video import save_turntable
        from triptych.portrait import Portrait
        from triptych.runs.device import choose_device

        if self.video is not None:
            find_ffmpeg()
        portrait = Portrait.load(self.portrait, choose_device(self.device))
        if self.html is not None:
            save_page(self.html, portrait)
            console.result(str(self.html))
        if self.mesh is not None:
            if self.texture and self.mesh.suffix.lower() == ".glb":
                mesh = textured_mesh(
                    portrait, resolution=self.resolution, texture_size=self.texture
                )
                save_textured_mesh(self.mesh, mesh)
            else:
                save_mesh(self.mesh, portrait_mesh(portrait, resolution=self.resolution))
            console.result(str(self.mesh))
        if self.video is not None:
            with console.progress("video frames", self.frames) as step:
                save_turntable(
                    self.video, portrait, num_frames=self.frames, size=self.size, step=step
                )
            console.result(str(self.video))
