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
from triptych.errors import UserError
from triptych.export.html.scene import triplane_scene
from triptych.export.pictures import view_pictures
from triptych.files import atomic_write
from triptych.portrait import Portrait, TriPlanePortrait

STRIP_YAWS = tuple(math.radians(degrees) for degrees in range(-50, 51, 10))
_STRIP_SIZE, _STRIP_QUALITY = 160, 70
_PROGRAMS = ("orbit.js", "renderer.js", "scheduler.js", "controls.js", "strip.js", "main.js")
_MOST_FACTS, _LONGEST_FACT = 60, 200
_NO_UPSAMPLING = (
    "rays with the first three features as the colour; the super-resolution network is left out"
)


@checked
def save_page(path: str | Path, portrait: Portrait, *, title: str | None = None) -> None:
    """Write a portrait as one HTML file that renders it live, in any browser with WebGL2.

    Args:
        path: File to be.
        portrait: A portrait of tri-planes. What its super-resolution network would add is not
            shown, and the page says so.
        title: Of the page; what was asked for when the portrait was made by default.

    Raises:
        UserError: The portrait is of another kind, or too large for every browser.
    """
    page = portrait_page(portrait, title=title)
    with atomic_write(path, "w") as stream:
        stream.write(page)


def has_page(portrait: Portrait) -> bool:
    """Say whether a portrait is of a kind that a page renders."""
    return isinstance(portrait, TriPlanePortrait)


@checked
def portrait_page(portrait: Portrait, *, title: str | None = None) -> str:
    """Return the page of a portrait; see `save_page`."""
    if not isinstance(portrait, TriPlanePortrait):
        raise UserError(
            f"a page renders tri-planes: got a {type(portrait).__name__}; export it as a mesh or "
            "as a video"
        )
    scene = triplane_scene(portrait)
    shown = page_title(portrait) if title is None else title
    content = {
        "scene": scene.settings,
        "facts": list(_facts(portrait)),
        "strip": {"url": _strip_url(portrait), "count": len(STRIP_YAWS)},
    }
    style = _asset("page.css")
    program = '"use strict";\n(() => {\n' + "\n".join(map(_asset, _PROGRAMS)) + "})();\n"
    return Template(_asset("page.html")).substitute(
        policy=_policy(style, program),
        generator=f"Triptych {triptych.__version__}",
        title=html.escape(shown),
        style=style,
        content=_json(content),
        shader=_asset("march.frag"),
        planes=_base64(scene.planes),
        decoder=_base64(scene.decoder),
        occupied=_base64(scene.occupied),
        program=program,
    )


def page_title(portrait: Portrait) -> str:
    """Return what a portrait was asked to be: its prompt or its seed."""
    record = portrait.provenance
    if isinstance(record.get("prompt"), str):
        return str(record["prompt"])
    return f"Seed {record['seed']}" if isinstance(record.get("seed"), int) else "Portrait"


def _facts(portrait: TriPlanePortrait) -> Iterator[tuple[str, str]]:
    """Yield rows of the information panel: how the portrait was made, and what is not shown."""
    if portrait.superresolution is not None:
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
