"""Readers for the three text formats of the MakeHuman repositories: .obj, .target and .mhclo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.errors import UserError

SCALE_AXES = ("x_scale", "y_scale", "z_scale")


@dataclass(frozen=True)
class ObjMesh:
    """A polygon mesh as written in an .obj file.

    Attributes:
        vertices: Positions [v, 3] in the file's unit (decimetres for the base mesh).
        uv: Texture coordinates [t, 2]; empty when the file has none.
        faces: Quads [f, 4] of vertex indices from 0; a triangle repeats its last corner.
        uv_faces: Quads [f, 4] of texture indices from 0; 0 where the file has none.
        groups: Group name of each face [f], as text.
    """

    vertices: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    uv_faces: np.ndarray
    groups: np.ndarray

    def vertices_of(self, group: str) -> np.ndarray:
        """Return the sorted indices of the vertices that the faces of one group use."""
        return np.unique(self.faces[self.groups == group])


@dataclass(frozen=True)
class Binding:
    """How the vertices of a fitted mesh hang on the base mesh.

    Attributes:
        indices: Three base vertices per mesh vertex [v, 3].
        weights: Their weights [v, 3]; a rigid vertex has (1, 0, 0).
        offsets: Offset added after axis scaling [v, 3].
        scale: Per axis the two base vertices that measure it and their reference distance [3, 3].
    """

    indices: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray
    scale: np.ndarray


def read_obj(path: str | Path) -> ObjMesh:
    """Read vertices, texture coordinates, faces and group names of an .obj file.

    Raises:
        UserError: The file is absent or a line is malformed.
    """
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    faces: list[list[int]] = []
    uv_faces: list[list[int]] = []
    groups: list[str] = []
    group = ""
    for number, words in _lines(path):
        keyword = words[0]
        if keyword == "v":
            vertices.append(_floats(words[1:4], 3, path, number, "v x y z"))
        elif keyword == "vt":
            uv.append(_floats(words[1:3], 2, path, number, "vt u v"))
        elif keyword == "g":
            group = words[1] if len(words) > 1 else ""
        elif keyword == "f":
            corners = _face_corners(words[1:], path, number)
            faces.append([vertex for vertex, _ in corners])
            uv_faces.append([texture for _, texture in corners])
            groups.append(group)
    face_array = np.array(faces, np.int64).reshape(-1, 4)
    uv_face_array = np.array(uv_faces, np.int64).reshape(-1, 4)
    _check_indices(face_array, len(vertices), path, "vertex")
    if uv:
        _check_indices(uv_face_array, len(uv), path, "texture coordinate")
    return ObjMesh(
        vertices=np.array(vertices, np.float64).reshape(-1, 3),
        uv=np.array(uv, np.float64).reshape(-1, 2),
        faces=face_array,
        uv_faces=uv_face_array,
        groups=np.array(groups, dtype=str),
    )


def read_target(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one morph target.

    Returns:
        Vertex indices [n] and their displacements [n, 3] in decimetres, sorted by index.

    Raises:
        UserError: The file is absent or a line is malformed.
    """
    expected = "index dx dy dz"
    indices: list[int] = []
    offsets: list[list[float]] = []
    for number, words in _lines(path):
        if len(words) != 4:
            raise _malformed(path, number, " ".join(words), expected)
        indices.append(_integer(words[0], path, number, expected))
        offsets.append(_floats(words[1:], 3, path, number, expected))
    order = np.argsort(np.array(indices, np.int64), kind="stable")
    return (
        np.array(indices, np.int64)[order],
        np.array(offsets, np.float64).reshape(-1, 3)[order],
    )


def read_binding(path: str | Path, num_vertices: int) -> Binding:
    """Read the binding part of an .mhclo file.

    Header lines may stand before or after the line `verts 0`; rows hold either one base vertex
    (rigid) or three base vertices, three weights and three offsets.

    Args:
        path: The .mhclo file.
        num_vertices: Vertices of the mesh it binds; the file must have one row for each.

    Raises:
        UserError: The file is absent, a line is malformed, rows or an axis scale are missing.
    """
    rows: list[tuple[list[int], list[float], list[float]]] = []
    scales: dict[str, list[float]] = {}
    reading_rows = False
    for number, words in _lines(path):
        if words[0] in SCALE_AXES:
            scales[words[0]] = _floats(words[1:4], 3, path, number, f"{words[0]} v1 v2 length")
        elif words[0] == "verts":
            reading_rows = True
        elif words[0] in ("delete_verts", "weights"):
            reading_rows = False
        elif reading_rows and words[0].lstrip("-").isdigit():
            rows.append(_binding_row(words, path, number))
    missing = [axis for axis in SCALE_AXES if axis not in scales]
    if missing:
        raise UserError(f"{path}: no line '{missing[0]} v1 v2 length'; expected one for each axis")
    if len(rows) != num_vertices:
        raise UserError(
            f"{path}: got {len(rows)} binding rows after 'verts 0'; "
            f"expected {num_vertices}, one per vertex of its .obj"
        )
    return Binding(
        indices=np.array([row[0] for row in rows], np.int64).reshape(-1, 3),
        weights=np.array([row[1] for row in rows], np.float64).reshape(-1, 3),
        offsets=np.array([row[2] for row in rows], np.float64).reshape(-1, 3),
        scale=np.array([scales[axis] for axis in SCALE_AXES], np.float64),
    )


def _binding_row(
    words: list[str], path: str | Path, number: int
) -> tuple[list[int], list[float], list[float]]:
    if len(words) == 1:
        vertex = _integer(words[0], path, number, "index")
        return [vertex] * 3, [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    expected = "one index, or three indices, three weights and three offsets"
    if len(words) != 9:
        raise _malformed(path, number, " ".join(words), expected)
    indices = [_integer(word, path, number, expected) for word in words[:3]]
    values = _floats(words[3:], 6, path, number, expected)
    return indices, values[:3], values[3:]


def _face_corners(words: list[str], path: str | Path, number: int) -> list[tuple[int, int]]:
    expected = "f v[/vt] v[/vt] v[/vt] [v[/vt]]"
    if len(words) not in (3, 4):
        raise _malformed(path, number, "f " + " ".join(words), expected)
    corners = []
    for word in words:
        vertex, _, rest = word.partition("/")
        texture = rest.partition("/")[0]
        corners.append(
            (
                _integer(vertex, path, number, expected) - 1,
                _integer(texture, path, number, expected) - 1 if texture else 0,
            )
        )
    return corners if len(corners) == 4 else [*corners, corners[-1]]


def _lines(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers from 1 and words of the lines that are neither empty nor comments."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


def _floats(words: list[str], count: int, path: str | Path, number: int, form: str) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise _malformed(path, number, " ".join(words), form)
    return values


def _integer(word: str, path: str | Path, number: int, form: str) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise _malformed(path, number, word, form) from error


def _check_indices(faces: np.ndarray, count: int, path: str | Path, what: str) -> None:
    if faces.size and (faces.min() < 0 or faces.max() >= count):
        raise UserError(
            f"{path}: a face names {what} {faces.max() + 1} "
            f"(smallest {faces.min() + 1}); expected 1 to {count}"
        )


def _malformed(path: str | Path, number: int, got: str, expected: str) -> UserError:
    return UserError(f"{path}, line {number}: got '{got}'; expected '{expected}'")
