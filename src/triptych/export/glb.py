"""Binary glTF 2.0 files of one coloured or textured mesh, in one node or in several.

Written here because vertex colours in glTF are linear light: eight bits of it, which is what mesh
libraries write, would show steps in dark hair. A file has vertex colours or a texture, never both:
the standard multiplies the two.
"""

from __future__ import annotations

import io
import itertools
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from triptych.arguments import checked
from triptych.files import atomic_write
from triptych.ops.colour import linear_from_srgb

_FLOAT, _UNSIGNED_INT = 5126, 5125
_VERTEX_DATA, _INDEX_DATA = 34962, 34963
_MAGIC, _VERSION = 0x46546C67, 2
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942

_UNLIT: dict[str, Any] = {
    "name": "as rendered",
    "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
    "extensions": {"KHR_materials_unlit": {}},
}


@checked
def save_glb(
    path: str | Path,
    vertices: np.ndarray,
    triangles: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    extras: dict[str, Any] | None = None,
    *,
    nodes: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a mesh whose vertex colours are shown as they are, without lighting.

    Args:
        path: File to be.
        vertices: float32 [v, 3], y up, the face along +z, which is glTF's own convention.
        triangles: int [t, 3], counter-clockwise as seen from outside.
        normals: Unit float32 [v, 3].
        colours: sRGB float [v, 3] in [0, 1].
        extras: What else the file shall say about the mesh.
        nodes: Triangles of each node by its name, which share the vertices; one node of all by
            default.
    """
    linear = np.ones((len(vertices), 4))
    linear[:, :3] = linear_from_srgb(np.clip(colours, 0.0, 1.0))
    attributes = {
        "POSITION": _Part(vertices.astype("<f4"), "VEC3", bounded=True),
        "NORMAL": _Part(normals.astype("<f4"), "VEC3"),
        "COLOR_0": _Part(linear.astype("<f4"), "VEC4"),
    }
    _save(path, attributes, nodes or {"portrait": triangles}, extras)


@checked
def save_textured_glb(
    path: str | Path,
    vertices: np.ndarray,
    triangles: np.ndarray,
    normals: np.ndarray,
    uv: np.ndarray,
    texture: np.ndarray,
    *,
    nodes: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a mesh whose texture is shown as it is, without lighting; the PNG is in the file.

    Args:
        path: File to be.
        vertices: See `save_glb`.
        triangles: See `save_glb`.
        normals: See `save_glb`.
        uv: float [v, 2] in [0, 1], u to the right, v down.
        texture: sRGB uint8 [s, s, 3].
        nodes: See `save_glb`.
    """
    attributes = {
        "POSITION": _Part(vertices.astype("<f4"), "VEC3", bounded=True),
        "NORMAL": _Part(normals.astype("<f4"), "VEC3"),
        "TEXCOORD_0": _Part(uv.astype("<f4"), "VEC2"),
    }
    _save(path, attributes, nodes or {"portrait": triangles}, None, texture)


def _save(
    path: str | Path,
    attributes: Mapping[str, _Part],
    nodes: Mapping[str, np.ndarray],
    extras: dict[str, Any] | None,
    texture: np.ndarray | None = None,
) -> None:
    indices = [_Part(some.astype("<u4").reshape(-1), "SCALAR") for some in nodes.values()]
    parts = [*attributes.values(), *indices]
    places = {name: place for place, name in enumerate(attributes)}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "triptych", "extras": extras or {}},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": [{"mesh": index, "name": name} for index, name in enumerate(nodes)],
        "meshes": [
            {
                "name": name,
                "primitives": [
                    {"attributes": places, "indices": len(attributes) + index, "material": 0}
                ],
            }
            for index, name in enumerate(nodes)
        ],
        "materials": [_UNLIT],
        **_buffers(parts),
    }
    chunks = [part.array.tobytes() for part in parts]
    if texture is not None:
        chunks.append(_png(texture))
        _add_texture(document, len(chunks[-1]))
    _write(path, document, chunks)


def _add_texture(document: dict[str, Any], length: int) -> None:
    """Let a document's material show the PNG of that length that follows its arrays."""
    (buffer,) = document["buffers"]
    view = {"buffer": 0, "byteOffset": buffer["byteLength"], "byteLength": length}
    document["bufferViews"].append(view)
    buffer["byteLength"] += length
    index = len(document["bufferViews"]) - 1
    surface = {**_UNLIT["pbrMetallicRoughness"], "baseColorTexture": {"index": 0}}
    document["materials"] = [{**_UNLIT, "pbrMetallicRoughness": surface}]
    document["textures"] = [{"source": 0, "sampler": 0}]
    document["samplers"] = [{"magFilter": 9729, "minFilter": 9729}]  # linear, without mip maps
    document["images"] = [{"bufferView": index, "mimeType": "image/png"}]


def _png(texture: np.ndarray) -> bytes:
    """Return a PNG filled up to a multiple of four bytes."""
    file = io.BytesIO()
    Image.fromarray(texture).save(file, "PNG")
    return file.getvalue() + bytes(-file.tell() % 4)


@dataclass(frozen=True, eq=False)
class _Part:
    """One array of the binary chunk: what it holds, and whether its bounds are said."""

    array: np.ndarray
    kind: str
    bounded: bool = False

    def accessor(self, index: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "bufferView": index,
            "componentType": _UNSIGNED_INT if self.kind == "SCALAR" else _FLOAT,
            "type": self.kind,
            "count": len(self.array),
        }
        if self.bounded:
            found |= {
                "min": self.array.min(axis=0).tolist(),
                "max": self.array.max(axis=0).tolist(),
            }
        return found

    def view(self, offset: int) -> dict[str, Any]:
        target = _INDEX_DATA if self.kind == "SCALAR" else _VERTEX_DATA
        length = self.array.nbytes
        return {"buffer": 0, "byteOffset": offset, "byteLength": length, "target": target}


def _buffers(parts: Sequence[_Part]) -> dict[str, Any]:
    """Return the entries that say where in the one binary chunk each part lies."""
    ends = list(itertools.accumulate(part.array.nbytes for part in parts))
    starts = [0, *ends[:-1]]
    return {
        "buffers": [{"byteLength": ends[-1]}],
        "bufferViews": [part.view(start) for part, start in zip(parts, starts, strict=True)],
        "accessors": [part.accessor(index) for index, part in enumerate(parts)],
    }


def _write(path: str | Path, document: dict[str, Any], chunks: Sequence[bytes]) -> None:
    """Write both chunks behind the header, atomically."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    size = sum(map(len, chunks))
    with atomic_write(path) as stream:
        stream.write(struct.pack("<3I", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + size))
        stream.write(struct.pack("<2I", len(text), _JSON_CHUNK) + text)
        stream.write(struct.pack("<2I", size, _BINARY_CHUNK))
        for chunk in chunks:
            stream.write(chunk)
