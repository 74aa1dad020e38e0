"""The formats that a portrait is exported to, by name, as every front end offers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from triptych.progress import Progress, count_steps

if TYPE_CHECKING:
    from triptych.export.splats.splats import Splats
    from triptych.export.texture import TexturedMesh
    from triptych.portrait import Portrait

_FRAMES = 60
_PICTURE_SIZE = 512
_MESHES: WeakKeyDictionary[Portrait, TexturedMesh] = WeakKeyDictionary()
_SPLATS: WeakKeyDictionary[Portrait, Splats] = WeakKeyDictionary()


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        title: What a person calls it.
        write: Writes a portrait into a folder and returns the files; imports what it needs.
        package: Optional package that it needs.
    """

    title: str
    write: Callable[[Portrait, Path, Progress], list[Path]]
    package: str | None = None

    @property
    def is_offered(self) -> bool:
        """Whether what it needs is installed."""
        return self.package is None or find_spec(self.package) is not None


def _portrait(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    file = folder / "portrait.safetensors"
    portrait.save(file)
    return [file]


def _page(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.html.page import has_live_page, save_page

    file = folder / "portrait.html"
    splats = None if has_live_page(portrait) else _fitted(portrait, progress)
    save_page(file, portrait, splats=splats)
    return [file]


def _fitted(portrait: Portrait, progress: Progress) -> Splats:
    """Return a portrait's splats, fitted once for all formats that hold them."""
    from triptych.export.splats.fitting import fit_splats

    if portrait not in _SPLATS:
        _SPLATS[portrait] = fit_splats(portrait, progress=progress)
    return _SPLATS[portrait]


def _textured(portrait: Portrait, progress: Progress) -> TexturedMesh:
    """Return a portrait's textured mesh, unwrapped once for all formats that hold it."""
    from triptych.export.texture import textured_mesh

    progress("unwrapping the mesh", 0, 1)
    if portrait not in _MESHES:
        _MESHES[portrait] = textured_mesh(portrait)
    progress("unwrapping the mesh", 1, 1)
    return _MESHES[portrait]


def _glb(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.texture import save_textured_mesh

    file = folder / "portrait.glb"
    save_textured_mesh(file, _textured(portrait, progress))
    return [file]


def _obj(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.texture import save_textured_mesh

    file = folder / "portrait.obj"
    save_textured_mesh(file, _textured(portrait, progress))
    return [file, file.with_suffix(".mtl"), file.with_suffix(".png")]


def _usdz(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.usdz import check_usd, save_usdz

    check_usd()
    file = folder / "portrait.usdz"
    save_usdz(file, _textured(portrait, progress))
    return [file]


def _splats(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.splats.splat_files import save_splats

    files = [folder / "portrait-splats.ply", folder / "portrait-splats.glb"]
    for file in files:
        save_splats(file, _fitted(portrait, progress))
    return files


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


def _gif(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.video import save_turntable

    file = folder / "portrait.gif"
    step = count_steps(progress, "filming", _FRAMES)
    save_turntable(file, portrait, num_frames=_FRAMES, step=step)
    return [file]


def _views(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.view_set import NUM_VIEWS, save_view_set

    place = folder / "views"
    save_view_set(place, portrait, step=count_steps(progress, "taking views", NUM_VIEWS))
    return sorted(path for path in place.rglob("*") if path.is_file())


def _picture(portrait: Portrait, folder: Path, progress: Progress) -> list[Path]:
    from triptych.export.pictures import colour_picture, save_png, transparent_picture

    view = portrait.render(size=max(_PICTURE_SIZE, portrait.picture_size))
    files = folder / "front.png", folder / "front-transparent.png"
    save_png(files[0], colour_picture(view.image[0]))
    save_png(files[1], transparent_picture(view, portrait.rendering.background))
    return list(files)


FORMATS: dict[str, Format] = {
    "page": Format("live page (.html)", _page),
    "glb": Format("textured mesh (.glb)", _glb),
    "obj": Format("textured mesh (.obj)", _obj),
    "usdz": Format("textured mesh (.usdz)", _usdz, package="pxr"),
    "splats": Format("Gaussian splats (.ply, .glb)", _splats),
    "video": Format("video (.mp4)", _video),
    "gif": Format("animation (.gif)", _gif),
    "picture": Format("pictures, with and without background (.png)", _picture),
    "views": Format("views with cameras (nerfstudio, EG3D)", _views),
    "solid": Format("watertight mesh (.ply)", _solid),
    "portrait": Format("portrait file (.safetensors)", _portrait),
}
