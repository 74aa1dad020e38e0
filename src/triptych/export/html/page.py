"""The page: template, programs and arrays in one HTML file that asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from PIL import Image

import triptych
from triptych.arguments import checked
from triptych.export.html.scene import TriPlaneScene, triplane_scene
from triptych.export.html.splat_scene import SplatScene, splat_scene
from triptych.export.pictures import view_pictures
from triptych.export.splats.fitting import fit_splats
from triptych.export.splats.splats import Splats
from triptych.files import atomic_write
from triptych.portrait import Portrait, TriPlanePortrait
from triptych.progress import Progress

STRIP_YAWS = tuple(math.radians(degrees) for degrees in range(-50, 51, 10))
_STRIP_SIZE, _STRIP_QUALITY = 160, 70
_PROGRAMS = (
    *("orbit.js", "canvas.js", "planes.js", "splats.js"),
    *("scheduler.js", "controls.js", "strip.js", "main.js"),
)
_MOST_FACTS, _LONGEST_FACT = 60, 200
_NO_UPSAMPLING = (
    "rays with the first three features as the colour; the super-resolution network is left out"
)
_BAKED = "Gaussian splats, fitted to renders of the portrait"


@checked
def save_page(
    path: str | Path,
    portrait: Portrait,
    *,
    title: str | None = None,
    splats: Splats | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a portrait as one HTML file that renders it live, in any browser with WebGL2.

    Portraits of tri-planes are rendered from their planes; what a super-resolution network would
    add is not shown. Other portraits are baked into Gaussian splats first, which takes about a
    minute. The page says so.

    Args:
        path: File to be.
        portrait: The portrait.
        title: Of the page; what was asked for when the portrait was made by default.
        splats: What `fit_splats` made of the portrait, where that is known already; unused where
            the portrait has planes.
        progress: Called with (stage, done, total) while splats are baked.

    Raises:
        UserError: The portrait is too large for every browser, or nothing in it is opaque.
    """
    page = portrait_page(portrait, title=title, splats=splats, progress=progress)
    with atomic_write(path, "w") as stream:
        stream.write(page)


def has_live_page(portrait: Portrait) -> bool:
    """Say whether a page renders the portrait itself, so that it is made in a moment."""
    return isinstance(portrait, TriPlanePortrait)


@checked
def portrait_page(
    portrait: Portrait,
    *,
    title: str | None = None,
    splats: Splats | None = None,
    progress: Progress | None = None,
) -> str:
    """Return the page of a portrait; see `save_page`."""
    scene: TriPlaneScene | SplatScene
    if isinstance(portrait, TriPlanePortrait):
        scene, shaders = triplane_scene(portrait), {"fragment": "march.frag"}
        arrays = {"planes": scene.planes, "decoder": scene.decoder, "occupied": scene.occupied}
    else:
        splats = fit_splats(portrait, progress=progress) if splats is None else splats
        scene = splat_scene(portrait, splats)
        shaders = {"vertex": "splat.vert", "fragment": "splat.frag"}
        arrays = {"splats": scene.splats}
    shown = page_title(portrait) if title is None else title
    content = {
        "scene": scene.settings,
        "arrays": list(arrays),
        "shaders": list(shaders),
        "facts": list(_facts(portrait)),
        "strip": {"url": _strip_url(portrait), "count": len(STRIP_YAWS)},
    }
    parts = {name: _asset(file) for name, file in shaders.items()}
    parts |= {name: _base64(array) for name, array in arrays.items()}
    style = _asset("page.css")
    program = '"use strict";\n(() => {\n' + "\n".join(map(_asset, _PROGRAMS)) + "})();\n"
    return Template(_asset("page.html")).substitute(
        policy=_policy(style, program),
        generator=f"Triptych {triptych.__version__}",
        title=html.escape(shown),
        style=style,
        content=_json(content),
        parts="\n".join(
            f'<script type="text/plain" id="{name}">{text}</script>' for name, text in parts.items()
        ),
        program=program,
    )


def page_title(portrait: Portrait) -> str:
    """Return what a portrait was asked to be: its prompt or its seed."""
    record = portrait.provenance
    if isinstance(record.get("prompt"), str):
        return str(record["prompt"])
    return f"Seed {record['seed']}" if isinstance(record.get("seed"), int) else "Portrait"


def _facts(portrait: Portrait) -> Iterator[tuple[str, str]]:
    """Yield rows of the information panel: how the portrait was made, and what is not shown."""
    if not isinstance(portrait, TriPlanePortrait):
        yield "shown", _BAKED
    elif portrait.superresolution is not None:
        yield "shown", _NO_UPSAMPLING
    rows = list(_flat(portrait.provenance, ""))
    for name, value in rows[:_MOST_FACTS]:
        text = str(value)
        yield name, text if len(text) <= _LONGEST_FACT else text[:_LONGEST_FACT] + " ..."
    if len(rows) > _MOST_FACTS:
        yield "and", f"{len(rows) - _MOST_FACTS} more entries in the portrait's file"


def _flat(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name} ")
        else:
            yield f"{before}{name}".replace("_", " "), value


def _strip_url(portrait: Portrait) -> str:
    """Return pictures from side to side, beside each other, as the address of a JPEG."""
    camera = portrait.orbit(torch.tensor(STRIP_YAWS))
    pictures = view_pictures(portrait, camera, min(_STRIP_SIZE, portrait.picture_size))
    file = io.BytesIO()
    Image.fromarray(np.concatenate(pictures, axis=1)).save(file, "JPEG", quality=_STRIP_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _policy(style: str, program: str) -> str:
    """Return the content security policy: this style, this program, pictures of the page."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'sha256-{_sha256(program)}'",
            f"style-src 'sha256-{_sha256(style)}'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _json(values: Any) -> str:
    """Return JSON that ends no script element, whatever the texts in it are."""
    text = json.dumps(values, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _base64(numbers: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode()


def _asset(name: str) -> str:
    return (files("triptych.export.html") / "viewer" / name).read_text(encoding="utf-8")
