"""Binary glTF 2.0 files of one vertex-coloured mesh.

Written here because colours in glTF are linear light: eight bits of it, which is what mesh
libraries write, would show steps in dark hair.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from triptych.files import atomic_write
from triptych.ops.colour import linear_from_srgb

_FLOAT, _UNSIGNED_INT = 5126, 5125
_VERTEX_DATA, _INDEX_DATA = 34962, 34963
_MAGIC, _VERSION = 0x46546C67, 2
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942


def save_glb(
    path: str | Path,
    vertices: np.ndarray,
    triangles: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    extras: dict[str, Any] | None = None,
) -> None:
    """Write a mesh whose colours are shown as they are, without lighting.

    Args:
        path: File to be.
        vertices: float32 [v, 3], y up, the face along +z, which is glTF's own convention.
        triangles: int [t, 3], counter-clockwise as seen from outside.
        normals: Unit float32 [v, 3].
        colours: sRGB float [v, 3] in [0, 1].
        extras: What else the file shall say about the mesh.
    """
    linear = np.ones((len(vertices), 4))
    linear[:, :3] = linear_from_srgb(np.clip(colours, 0.0, 1.0))
    parts = (
        (vertices.astype("<f4"), _FLOAT, "VEC3", _VERTEX_DATA),
        (normals.astype("<f4"), _FLOAT, "VEC3", _VERTEX_DATA),
        (linear.astype("<f4"), _FLOAT, "VEC4", _VERTEX_DATA),
        (triangles.astype("<u4").reshape(-1), _UNSIGNED_INT, "SCALAR", _INDEX_DATA),
    )
    views, accessors, offset = [], [], 0
    for index, (array, component, kind, target) in enumerate(parts):
        views.append(
            {"buffer": 0, "byteOffset": offset, "byteLength": array.nbytes, "target": target}
        )
        accessor = {
            "bufferView": index,
            "componentType": component,
            "type": kind,
            "count": len(array),
        }
        accessors.append(accessor)
        offset += array.nbytes
    accessors[0] |= {"min": vertices.min(axis=0).tolist(), "max": vertices.max(axis=0).tolist()}
    document = {
        "asset": {"version": "2.0", "generator": "triptych", "extras": extras or {}},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "portrait"}],
        "meshes": [
            {
                "name": "portrait",
                "primitives": [
                    {
                        "attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2},
                        "indices": 3,
                        "material": 0,
                    }
                ],
            }
        ],
        "materials": [
            {
                "name": "as rendered",
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "buffers": [{"byteLength": offset}],
        "bufferViews": views,
        "accessors": accessors,
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    with atomic_write(path) as stream:
        stream.write(struct.pack("<3I", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + offset))
        stream.write(struct.pack("<2I", len(text), _JSON_CHUNK) + text)
        stream.write(struct.pack("<2I", offset, _BINARY_CHUNK))
        for array, *_ in parts:
            stream.write(array.tobytes())
