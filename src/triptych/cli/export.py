"""`triptych export`: a portrait as a live page, as a mesh, as a video and as views with cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, MaybeInt, MaybePath
from triptych.errors import UserError, check_range
from triptych.files import check_empty_folder, check_output_file
from triptych.runs import console


@dataclass(frozen=True)
class Export:
    """Write a portrait as a live HTML page, as a coloured mesh or as a turntable video."""

    portrait: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PORTRAIT")]
    """A portrait.safetensors that stylize or generate wrote."""
    html: MaybePath = None
    """Page to write (.html): one file that renders the portrait live in any browser with WebGL2."""
    mesh: MaybePath = None
    """Mesh to write, y up: .glb or .obj with a texture, or .ply with vertex colours."""
    video: MaybePath = None
    """Video to write (.mp4, .gif or .webp)."""
    nerfstudio: MaybePath = None
    """Folder for views from all around with their cameras: transforms.json, as nerfstudio and
    other trainers of radiance fields read, and EG3D's dataset.json."""
    views: int = 60
    """Views in that folder, 1 to 10000."""
    resolution: int = 160
    """Samples along each side of the mesh's grid, 16 to 512; time grows with its cube."""
    texture: int = 1024
    """Side of the texture of a .glb or .obj mesh, 64 to 4096; 0 writes vertex colours and all
    triangles."""
    frames: int = 60
    """Frames of the video, 1 to 10000, at 30 per second."""
    orbit: Literal["swing", "sway", "circle"] = "swing"
    """How the camera of the video moves: from side to side; up and down too, as in EG3D's videos;
    once around."""
    quality: int = 18
    """Constant rate factor of an .mp4 video, 0 to 51: more is smaller."""
    supersampling: int = 1
    """Rays per pixel of video and views along each side, 1 to 4, for smoother edges."""
    size: MaybeInt = None
    """Side of video and views in pixels, 16 to 2048; by default 256, or the size that the portrait
    upsamples to."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace files that exist."""

    def run(self) -> None:
        """Do the work."""
        if all(wish is None for wish in (self.html, self.mesh, self.video, self.nerfstudio)):
            raise UserError(
                "nothing to export: give --html FILE.html, --mesh FILE.glb, --video FILE.mp4 or "
                "--nerfstudio FOLDER"
            )
        check_range("--resolution", self.resolution, 16, 512)
        check_range("--frames", self.frames, 1, 10_000)
        check_range("--views", self.views, 1, 10_000)
        check_range("--quality", self.quality, 0, 51)
        check_range("--supersampling", self.supersampling, 1, 4)
        if self.texture:
            check_range("--texture", self.texture, 64, 4096)
        if self.size is not None:
            check_range("--size", self.size, 16, 2048)
        if self.html is not None:
            check_output_file(self.html, (".html",), overwrite=self.overwrite)
        if self.mesh is not None:
            check_output_file(self.mesh, (".glb", ".ply", ".obj"), overwrite=self.overwrite)
        if self.video is not None:
            check_output_file(self.video, (".mp4", ".gif", ".webp"), overwrite=self.overwrite)
        if self.nerfstudio is not None:
            check_empty_folder(self.nerfstudio, overwrite=self.overwrite)
        from triptych.export.h264 import find_ffmpeg
        from triptych.export.html.page import save_page
        from triptych.export.mesh import portrait_mesh, save_mesh
        from triptych.export.texture import save_textured_mesh, textured_mesh
        from triptych.export.video import save_turntable
        from triptych.export.view_set import save_view_set
        from triptych.portrait import Portrait
        from triptych.runs.device import choose_device

        if self.video is not None and self.video.suffix.lower() == ".mp4":
            find_ffmpeg()
        portrait = Portrait.load(self.portrait, choose_device(self.device))
        if self.html is not None:
            save_page(self.html, portrait)
            console.result(str(self.html))
        if self.mesh is not None:
            if self.texture and self.mesh.suffix.lower() in (".glb", ".obj"):
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
                    self.video,
                    portrait,
                    num_frames=self.frames,
                    size=self.size,
                    step=step,
                    orbit=self.orbit,
                    quality=self.quality,
                    supersampling=self.supersampling,
                )
            console.result(str(self.video))
        if self.nerfstudio is not None:
            with console.progress("views", self.views) as step:
                save_view_set(
                    self.nerfstudio,
                    portrait,
                    num_views=self.views,
                    size=self.size,
                    supersampling=self.supersampling,
                    step=step,
                )
            console.result(str(self.nerfstudio))
