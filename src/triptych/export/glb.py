"""Binary glTF 2.0 files of one coloured or textured mesh, in one node or in several.

Written here because vertex colours in glTF are linear light: eight bits of it, which is what mesh
libraries write, would show steps in dark hair. A file has vertex colours or a texture, never both:
the standard multiplies the two.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from triptych.arguments import checked
from triptych.export.glb_container import GlbPart, buffers, write_glb
from triptych.ops.colour import linear_from_srgb

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
        "POSITION": GlbPart(vertices.astype("<f4"), "VEC3", bounded=True),
        "NORMAL": GlbPart(normals.astype("<f4"), "VEC3"),
        "COLOR_0": GlbPart(linear.astype("<f4"), "VEC4"),
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
        "POSITION": GlbPart(vertices.astype("<f4"), "VEC3", bounded=True),
        "NORMAL": GlbPart(normals.astype("<f4"), "VEC3"),
        "TEXCOORD_0": GlbPart(uv.astype("<f4"), "VEC2"),
    }
    _save(path, attributes, nodes or {"portrait": triangles}, None, texture)


def _save(
    path: str | Path,
    attributes: Mapping[str, GlbPart],
    nodes: Mapping[str, np.ndarray],
    extras: dict[str, Any] | None,
    texture: np.ndarray | None = None,
) -> None:
    indices = [GlbPart(some.astype("<u4").reshape(-1), "SCALAR") for some in nodes.values()]
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
        **buffers(parts),
    }
    chunks = [part.array.tobytes() for part in parts]
    if texture is not None:
        chunks.append(_png(texture))
        _add_texture(document, len(chunks[-1]))
    write_glb(path, document, chunks)


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
