"""Triptych: a line of text, an example picture or a photo becomes a 3D portrait.

The public names are imported on first use, so that `import triptych` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triptych.camera import Camera
    from triptych.errors import UserError
    from triptych.models.style_strength import StyleStrength
    from triptych.portrait import Portrait, TriPlanePortrait, View
    from triptych.portrait.style_pack import StylePack
    from triptych.systems.adapt.pipeline import AdaptPipeline
    from triptych.systems.compose.pipeline import ComposePipeline, RegionChoice
    from triptych.systems.compose.region_portrait import RegionPortrait
    from triptych.systems.edit.pipeline import Edited, EditPipeline
    from triptych.systems.generate.pipeline import GeneratePipeline
    from triptych.systems.invert.pipeline import Inverted, InvertPipeline
    from triptych.systems.lift.likeness import Lifted
    from triptych.systems.lift.pipeline import LiftPipeline
    from triptych.systems.stylize.pipeline import Stylized, StylizePipeline

    __version__: str

_HOME_OF = {
    "AdaptPipeline": "triptych.systems.adapt.pipeline",
    "Camera": "triptych.camera",
    "ComposePipeline": "triptych.systems.compose.pipeline",
    "Edited": "triptych.systems.edit.pipeline",
    "EditPipeline": "triptych.systems.edit.pipeline",
    "GeneratePipeline": "triptych.systems.generate.pipeline",
    "Inverted": "triptych.systems.invert.pipeline",
    "InvertPipeline": "triptych.systems.invert.pipeline",
    "Lifted": "triptych.systems.lift.likeness",
    "LiftPipeline": "triptych.systems.lift.pipeline",
    "Portrait": "triptych.portrait",
    "RegionChoice": "triptych.systems.compose.pipeline",
    "RegionPortrait": "triptych.systems.compose.region_portrait",
    "StylePack": "triptych.portrait.style_pack",
    "StyleStrength": "triptych.models.style_strength",
    "Stylized": "triptych.systems.stylize.pipeline",
    "StylizePipeline": "triptych.systems.stylize.pipeline",
    "TriPlanePortrait": "triptych.portrait",
    "UserError": "triptych.errors",
    "View": "triptych.portrait",
}

__all__ = [
    "AdaptPipeline",
    "Camera",
    "ComposePipeline",
    "EditPipeline",
    "Edited",
    "GeneratePipeline",
    "InvertPipeline",
    "Inverted",
    "LiftPipeline",
    "Lifted",
    "Portrait",
    "RegionChoice",
    "RegionPortrait",
    "StylePack",
    "StyleStrength",
    "StylizePipeline",
    "Stylized",
    "TriPlanePortrait",
    "UserError",
    "View",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'triptych' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


def _version() -> str:
    from importlib import metadata  # half of what importing this package would take

    try:
        return metadata.version("triptych")
    except metadata.PackageNotFoundError:
        return "0+source"
