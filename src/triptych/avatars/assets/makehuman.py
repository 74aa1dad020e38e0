"""Building the head asset pack from checkouts of the two public MakeHuman repositories.

Reference: github.com/makehumancommunity/makehuman and makehuman-assets (base mesh, morph targets
and fitted meshes are CC0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.avatars.assets.makehuman_formats import (
    Binding,
    ObjMesh,
    read_binding,
    read_obj,
    read_target,
)
from triptych.avatars.assets.makehuman_sources import (
    BASE_MESH,
    find_repositories,
    fitted_meshes,
    target_files,
)
from triptych.errors import UserError
from triptych.files import atomic_path

# Everything above the chest of the rest pose, in decimetres.
LOWEST_BODY_FACE = 4.35
WIDEST_BODY_FACE = 2.9
LOWEST_GARMENT_FACE = 3.5
WIDEST_GARMENT_FACE = 3.5

# Fixed-point units of the stored integers, per decimetre or per texture width.
BASE_UNITS = 1e4
TARGET_UNITS = 1e3
BINDING_UNITS = 1e5
UV_UNITS = 2e4

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PackSummary:
    """What went into an asset pack: counts of vertices, morph targets and fitted meshes."""

    num_vertices: int
    num_targets: int
    num_fitted: int


def build_asset_pack(
    folders: Sequence[str | Path], out: str | Path, *, progress: Progress | None = None
) -> PackSummary:
    """Write the head asset pack from the two repositories.

    Args:
        folders: The two checkouts, in either order.
        out: The .npz file to write; it appears only when complete.
        progress: Called with a short name of each part as it is read.

    Raises:
        UserError: A folder or file is missing, or a line in a file is malformed.
    """
    program, assets = find_repositories(folders)
    target_file = Path(out)
    if target_file.suffix != ".npz":
        raise UserError(
            f"asset pack name: got '{target_file.name}'; expected a name ending in .npz"
        )
    report = progress or (lambda part: None)

    report("base mesh")
    base = read_obj(program / BASE_MESH)
    fitted = {}
    for name, path in fitted_meshes().items():
        report(name)
        fitted[name] = _read_fitted(name, assets / path, base)

    vertex_ids, arrays = _base_arrays(base, [binding for _, binding in fitted.values()])
    targets = {}
    for name, path in target_files(program):
        report(name)
        targets[name] = read_target(path)
    target_arrays = _target_arrays(targets, vertex_ids, len(base.vertices))
    arrays.update(target_arrays)
    for name, (mesh, binding) in fitted.items():
        arrays.update(_fitted_arrays(name, mesh, binding))

    with atomic_path(target_file) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    return PackSummary(len(vertex_ids), len(target_arrays["targets/names"]), len(fitted))


def _read_fitted(name: str, path: Path, base: ObjMesh) -> tuple[ObjMesh, Binding]:
    mesh = read_obj(path.with_suffix(".obj"))
    binding = read_binding(path.with_suffix(".mhclo"), len(mesh.vertices))
    highest = max(binding.indices.max(initial=0), int(binding.scale[:, :2].max()))
    if highest >= len(base.vertices):
        raise UserError(
            f"{path.with_suffix('.mhclo')}: names base vertex {highest}; the base mesh has "
            f"{len(base.vertices)}; do both checkouts have the same version?"
        )
    return (_bust_part(mesh, binding, base)) if name.startswith("cloth/") else (mesh, binding)


def _bust_part(mesh: ObjMesh, binding: Binding, base: ObjMesh) -> tuple[ObjMesh, Binding]:
    """Keep the faces of a garment that lie at the bust, and the vertices they use.

    The coordinates in a garment's .obj are not in the space of the base mesh: only the binding is.
    """
    anchors = base.vertices[binding.indices]
    fitted = (anchors * binding.weights[..., None]).sum(1) + binding.offsets
    corners = fitted[mesh.faces]
    kept = (corners[:, :, 1].max(1) > LOWEST_GARMENT_FACE) & (
        np.abs(corners[:, :, 0]).min(1) < WIDEST_GARMENT_FACE
    )
    vertex_ids, faces = np.unique(mesh.faces[kept], return_inverse=True)
    uv_ids, uv_faces = np.unique(mesh.uv_faces[kept], return_inverse=True)
    part = ObjMesh(
        vertices=mesh.vertices[vertex_ids],
        uv=mesh.uv[uv_ids] if len(mesh.uv) else mesh.uv,
        faces=faces.reshape(-1, 4),
        uv_faces=uv_faces.reshape(-1, 4),
        groups=mesh.groups[kept],
    )
    part_binding = Binding(
        binding.indices[vertex_ids],
        binding.weights[vertex_ids],
        binding.offsets[vertex_ids],
        binding.scale,
    )
    return part, part_binding


def _base_arrays(
    base: ObjMesh, bindings: Sequence[Binding]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the ids of the base vertices that anything needs, and the arrays of the base mesh."""
    centres = base.vertices[base.faces].mean(1)
    is_bust = (
        (base.groups == "body")
        & (centres[:, 1] > LOWEST_BODY_FACE)
        & (np.abs(centres[:, 0]) < WIDEST_BODY_FACE)
    )
    faces = base.faces[is_bust]
    eyes = {side: base.vertices_of(f"helper-{side}-eye") for side in "lr"}
    if not len(faces) or not all(len(ids) for ids in eyes.values()):
        raise UserError(
            f"{BASE_MESH}: found {len(faces)} faces of group 'body' at the head and "
            f"{len(eyes['l'])} + {len(eyes['r'])} eye vertices; expected MakeHuman's base mesh"
        )
    needed = [faces.ravel(), *eyes.values()]
    for binding in bindings:
        needed += [binding.indices.ravel(), binding.scale[:, :2].astype(np.int64).ravel()]
    vertex_ids = np.unique(np.concatenate(needed))
    arrays = {
        "base/vertices": np.rint(base.vertices[vertex_ids] * BASE_UNITS).astype(np.int32),
        "base/vertex_ids": vertex_ids.astype(np.uint16),
        "base/faces": faces.astype(np.uint16),
    }
    for side, ids in eyes.items():
        arrays[f"base/helper-{side}-eye"] = ids.astype(np.uint16)
    return vertex_ids, arrays


def _target_arrays(
    targets: dict[str, tuple[np.ndarray, np.ndarray]], vertex_ids: np.ndarray, num_vertices: int
) -> dict[str, np.ndarray]:
    """Pack the targets row after row (compressed sparse rows), sorted by name.

    Names are sorted because identities map numbers to controls in this order.
    """
    is_kept = np.zeros(num_vertices, bool)
    is_kept[vertex_ids] = True
    names, indices, offsets, pointers = [], [], [], [0]
    for name in sorted(targets):
        index, offset = targets[name]
        if index.size and (index.min() < 0 or index.max() >= num_vertices):
            raise UserError(
                f"morph target {name}: names vertex {index.max()}; "
                f"the base mesh has {num_vertices}; do the files belong together?"
            )
        steps = np.rint(offset * TARGET_UNITS)
        moves = is_kept[index] & (steps != 0).any(1)
        if not moves.any():
            continue
        if np.abs(steps[moves]).max() > np.iinfo(np.int16).max:
            raise UserError(f"morph target {name}: moves a vertex by more than 32 decimetres")
        names.append(name)
        indices.append(index[moves])
        offsets.append(steps[moves])
        pointers.append(pointers[-1] + int(moves.sum()))
    if not names:
        raise UserError("no morph target moves the head; expected a complete 'makehuman' checkout")
    stacked = np.concatenate(offsets).astype(np.int16)
    return {
        "targets/names": np.array(names),
        "targets/ptr": np.array(pointers, np.int32),
        "targets/idx": np.concatenate(indices).astype(np.uint16),
        "targets/dx": stacked[:, 0],
        "targets/dy": stacked[:, 1],
        "targets/dz": stacked[:, 2],
    }


def _fitted_arrays(name: str, mesh: ObjMesh, binding: Binding) -> dict[str, np.ndarray]:
    uv = mesh.uv if len(mesh.uv) else np.zeros((1, 2))
    uv_steps = np.clip(np.rint(uv * UV_UNITS), 0, np.iinfo(np.uint16).max)
    arrays: dict[str, np.ndarray] = {
        "faces": mesh.faces.astype(np.uint16),
        "uvfaces": mesh.uv_faces.astype(np.uint16),
        "uv": uv_steps.astype(np.uint16),
        "bind_idx": binding.indices.astype(np.uint16),
        "bind_w": np.rint(binding.weights * BINDING_UNITS).astype(np.int32),
        "bind_off": np.rint(binding.offsets * BINDING_UNITS).astype(np.int32),
        "scale": binding.scale,
    }
    return {f"px/{name}/{key}": value for key, value in arrays.items()}
