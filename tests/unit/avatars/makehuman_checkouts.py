"""Writes small (or whole) checkouts of the two MakeHuman repositories for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from triptych.avatars.assets.makehuman_sources import (
    ANCESTRIES,
    BASE_MESH,
    SHAPE_FOLDERS,
    TARGETS,
    fitted_meshes,
)


def write_obj(
    path: Path,
    vertices: np.ndarray,
    groups: Mapping[str, np.ndarray],
    uv: np.ndarray | None = None,
    uv_faces: np.ndarray | None = None,
) -> None:
    """Write an .obj file; faces are zero-based quads per group."""
    lines = ["# a comment"]
    lines += [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in (uv if uv is not None else ())]
    for name, faces in groups.items():
        lines.append(f"g {name}")
        textures = faces if uv_faces is None else uv_faces
        for face, texture in zip(faces + 1, textures + 1, strict=True):
            corners = zip(face, texture, strict=True)
            lines.append("f " + " ".join(str(v) if uv is None else f"{v}/{t}" for v, t in corners))
    _write(path, lines)


def write_target(path: Path, indices: np.ndarray, offsets: np.ndarray) -> None:
    """Write a .target file."""
    rows = zip(indices.tolist(), offsets.tolist(), strict=True)
    _write(path, ["# basemesh hm08", *(f"{i} {x:.3f} {y:.3f} {z:.3f}" for i, (x, y, z) in rows)])


def write_binding(path: Path, rows: Iterable[str], scale: np.ndarray) -> None:
    """Write an .mhclo file with header lines before and after `verts`."""
    axes = zip("xyz", scale.tolist(), strict=True)
    lines = ["basemesh hm08", "obj_file mesh.obj"]
    lines += [f"{axis}_scale {int(a)} {int(b)} {length:.6f}" for axis, (a, b, length) in axes]
    lines += ["verts 0", "tag Test", "material mesh.mhmat", *rows, "delete_verts", "3 - 10"]
    _write(path, lines)


def binding_row(indices: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> str:
    """Return a rigid row where that says the same, else one of nine numbers."""
    if (indices == indices[0]).all() and weights[0] == 1.0 and not offsets.any():
        return str(indices[0])
    numbers = (f"{value:.5f}" for value in (*weights, *offsets))
    return " ".join([*map(str, indices), *numbers])


def write_small_checkouts(folder: Path) -> tuple[Path, Path]:
    """Write checkouts with a base mesh of 20 vertices; returns the program and the assets."""
    program, assets = folder / "makehuman", folder / "makehuman-assets"
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    vertices = np.concatenate(
        [
            square + [0, 7, 1],  # 0..3: a face of the head
            square + [0, 2, 0],  # 4..7: too low
            square + [4, 7, 0],  # 8..11: too far out
            0.1 * square + [0.3, 7.3, 1.2],  # 12..15: left eye
            0.1 * square + [-0.3, 7.3, 1.2],  # 16..19: right eye
        ]
    )
    groups = {
        "body": np.arange(12).reshape(3, 4),
        "helper-l-eye": np.arange(12, 16)[None],
        "helper-r-eye": np.arange(16, 20)[None],
    }
    write_obj(program / BASE_MESH, vertices, groups)
    small = (np.array([5, 1]), np.array([[0.0, 0.2, 0.0], [0.125, 0.0, -0.001]]))
    for name in SHAPE_FOLDERS:
        write_target(program / TARGETS / name / f"{name}-test-incr.target", *small)
    for ancestry in ANCESTRIES:
        macro = program / TARGETS / "macrodetails" / f"{ancestry}-female-young.target"
        write_target(macro, *small)
        unit = program / TARGETS / "expression" / "units" / ancestry / "mouth-open.target"
        write_target(unit, *small)
    universal = program / TARGETS / "macrodetails" / "universal-female-young-minmuscle"
    write_target(universal.with_name(universal.name + "-minweight.target"), *small)
    nothing = np.zeros(0, int), np.zeros((0, 3))
    write_target(universal.with_name(universal.name + "-averageweight.target"), *nothing)
    scale = np.array([[0, 1, 1.0], [0, 3, 1.0], [0, 12, 0.5]])
    uv = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]])
    for path in fitted_meshes().values():
        write_obj(assets / path.with_suffix(".obj"), square, {"mesh": np.arange(4)[None]}, uv)
        rows = ["0", "1", "0 1 2 0.5 0.25 0.25 0.1 0.2 0.3", "3"]
        write_binding(assets / path.with_suffix(".mhclo"), rows, scale)
    return program, assets


def write_checkouts_of(pack: Mapping[str, np.ndarray], folder: Path) -> tuple[Path, Path]:
    """Write checkouts from which exactly this pack should be built."""
    program, assets = folder / "makehuman", folder / "makehuman-assets"
    vertices = np.zeros((19158, 3))
    vertices[pack["base/vertex_ids"]] = pack["base/vertices"] / 1e4
    groups = {"body": pack["base/faces"].astype(int)}
    for side in "lr":
        groups[f"helper-{side}-eye"] = pack[f"base/helper-{side}-eye"].astype(int).reshape(-1, 4)
    write_obj(program / BASE_MESH, vertices, groups)
    offsets = np.stack([pack[f"targets/d{axis}"] for axis in "xyz"], axis=1) / 1e3
    bounds = pack["targets/ptr"]
    spans = zip(pack["targets/names"], bounds[:-1], bounds[1:], strict=True)
    for name, start, end in spans:
        indices = pack["targets/idx"][start:end]
        write_target(program / TARGETS / _target_path(str(name)), indices, offsets[start:end])
    for name, path in fitted_meshes().items():
        part = {key: pack[f"px/{name}/{key}"] for key in ("faces", "uvfaces", "uv", "scale")}
        indices = pack[f"px/{name}/bind_idx"].astype(int)
        write_obj(
            assets / path.with_suffix(".obj"),
            np.zeros((len(indices), 3)),
            {"mesh": part["faces"].astype(int)},
            part["uv"] / 2e4,
            part["uvfaces"].astype(int),
        )
        weights, shifts = pack[f"px/{name}/bind_w"] / 1e5, pack[f"px/{name}/bind_off"] / 1e5
        rows = map(binding_row, indices, weights, shifts)
        write_binding(assets / path.with_suffix(".mhclo"), rows, part["scale"])
    return program, assets


def _target_path(name: str) -> str:
    folder, _, rest = name.partition("/")
    if folder == "macro":
        return f"macrodetails/{rest}.target"
    if folder == "univ":
        return f"macrodetails/universal-{rest}.target"
    if folder == "expr":
        return f"expression/units/{rest}.target"
    return f"{name}.target"


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
