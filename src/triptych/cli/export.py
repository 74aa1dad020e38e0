"""`triptych export`: a portrait as a page, mesh, splats, video and views with cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, MaybeInt, MaybePath
from triptych.errors import UserError, check_range
from triptych.files import check_empty_folder, check_output_file
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.portrait import Portrait


@dataclass(frozen=True)
class Export:
    """Write a portrait as a live HTML page, a coloured mesh, Gaussian splats or a video."""

    portrait: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PORTRAIT")]
    """A portrait file (.safetensors), which other verbs make."""
    html: MaybePath = None
    """Page to write (.html): one file that renders the portrait live in any browser with WebGL2."""
    mesh: MaybePath = None
    """Mesh to write, y up: .glb or .obj with a texture, or .ply with vertex colours."""
    splats: MaybePath = None
    """3D Gaussian splats to write: .ply as viewers of splats read it, or .glb with
    KHR_gaussian_splatting; takes about a minute."""
    usdz: MaybePath = None
    """The textured mesh as .usdz, for iPhones and USD programs."""
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
    """Path of the video's camera: swing, from side to side; sway, up and down too, as in EG3D's
    videos; circle, once around."""
    quality: int = 18
    """Constant rate factor of an .mp4 video, 0 to 51: higher is smaller and coarser."""
    supersampling: int = 1
    """Rays per pixel of video and views along each side, 1 to 4, for smoother edges."""
    size: MaybeInt = None
    """Side of video and views in pixels, 16 to 2048, with rays for each pixel. By default both are
    rendered at 256, or the size that the portrait upsamples to, and an .mp4 is upsampled to 512,
    which takes a fifth of the time of --size 512."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace files that exist."""

    def run(self) -> None:
        """Do the work."""
        self._check()
        from triptych.portrait import Portrait
        from triptych.runs.device import choose_device

        portrait = Portrait.load(self.portrait, choose_device(self.device))
        self._write_page_and_splats(portrait)
        self._write_meshes(portrait)
        self._write_views(portrait)

    def _check(self) -> None:
        """Check options, files and packages before long work starts."""
        files: list[tuple[str, Path | None, tuple[str, ...]]] = [
            ("--html", self.html, (".html",)),
            ("--mesh", self.mesh, (".glb", ".ply", ".obj")),
            ("--splats", self.splats, (".ply", ".glb")),
            ("--usdz", self.usdz, (".usdz",)),
            ("--video", self.video, (".mp4", ".gif", ".webp")),
        ]
        if self.nerfstudio is None and all(file is None for _, file, _ in files):
            raise UserError(
                "nothing to export: give --html FILE.html, --mesh FILE.glb, --splats FILE.ply, "
                "--usdz FILE.usdz, --video FILE.mp4 or --nerfstudio FOLDER"
            )
        check_range("--resolution", self.resolution, 16, 512)
        check_range("--frames", self.frames, 1, 10_000)
        check_range("--views", self.views, 1, 10_000)
        check_range("--quality", self.quality, 0, 51)
        check_range("--supersampling", self.supersampling, 1, 4)
        if self.texture or self.usdz is not None:
            check_range("--texture", self.texture, 64, 4096)
        if self.size is not None:
            check_range("--size", self.size, 16, 2048)
        by_place: dict[Path, str] = {}
        for option, file, endings in files:
            if file is None:
                continue
            other = by_place.setdefault(file.absolute(), option)
            if other != option:
                raise UserError(f"{other} and {option} both name {file}; give two names")
            check_output_file(file, endings, overwrite=self.overwrite)
        if self.nerfstudio is not None:
            check_empty_folder(self.nerfstudio, overwrite=self.overwrite)
        if self.usdz is not None:
            from triptych.export.usdz import check_usd

            check_usd()
        if self.video is not None and self.video.suffix.lower() == ".mp4":
            from triptych.export.h264 import find_ffmpeg

            find_ffmpeg()

    def _write_page_and_splats(self, portrait: Portrait) -> None:
        """Write --html and --splats, which share the splats where the page shows such."""
        if self.html is None and self.splats is None:
            return
        from triptych.export.html.page import has_live_page, save_page
        from triptych.export.splats.fitting import fit_splats
        from triptych.export.splats.splat_files import save_splats

        splats = None
        if self.splats is not None or not has_live_page(portrait):
            with console.stages() as progress:
                splats = fit_splats(portrait, progress=progress)
        if self.html is not None:
            save_page(self.html, portrait, splats=splats)
            console.result(str(self.html))
        if self.splats is not None and splats is not None:
            save_splats(self.splats, splats)
            console.result(str(self.splats))

    def _write_meshes(self, portrait: Portrait) -> None:
        """Write --mesh and --usdz, which share the textured mesh."""
        if self.mesh is None and self.usdz is None:
            return
        from triptych.export.mesh import portrait_mesh, save_mesh
        from triptych.export.texture import save_textured_mesh, textured_mesh
        from triptych.export.usdz import save_usdz

        has_texture = self.texture and self.mesh and self.mesh.suffix.lower() in (".glb", ".obj")
        if has_texture or self.usdz is not None:
            mesh = textured_mesh(portrait, resolution=self.resolution, texture_size=self.texture)
        if self.mesh is not None:
            if has_texture:
                save_textured_mesh(self.mesh, mesh)
            else:
                save_mesh(self.mesh, portrait_mesh(portrait, resolution=self.resolution))
            console.result(str(self.mesh))
        if self.usdz is not None:
            save_usdz(self.usdz, mesh)
            console.result(str(self.usdz))

    def _write_views(self, portrait: Portrait) -> None:
        """Write --video and --nerfstudio."""
        if self.video is not None:
            from triptych.export.video import save_turntable

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
            from triptych.export.view_set import save_view_set

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
