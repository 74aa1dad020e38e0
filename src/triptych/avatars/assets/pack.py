"""The head asset pack: base mesh, morph targets and fitted meshes, in decimetres."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack_reader import check_columns, check_reach, indices_of, read_arrays
from triptych.errors import UserError
from triptych.files import user_cache_folder

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PACK_VARIABLE = "TRIPTYCH_MAKEHUMAN"
PACK_NAME = "makehuman_head.npz"
EMBEDDED_PACK = Path(__file__).with_name(PACK_NAME)
"""What `build_asset_pack` made of MakeHuman's public meshes (CC0)."""
_NUM_BASE_VERTICES = 19158
# Fixed-point units of the stored integers.
_BASE_UNITS, _TARGET_UNITS, _BINDING_UNITS, _UV_UNITS = 1e4, 1e3, 1e5, 2e4

# Ends of two-sided targets: (negative weight, positive weight).
_OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)
_SHAPE_FOLDERS = frozenset(
    ("head", "nose", "mouth", "chin", "forehead", "neck", "cheek", "ears", "eyes", "eyebrows")
)
_POSE_CONTROLS = frozenset(("head/head-trans", "neck/neck-trans", "head/head-angle"))
_OUTLINES = frozenset(
    ("oval", "round", "square", "rectangular", "diamond", "triangular", "invertedtriangular")
)


@dataclass(frozen=True)
class MorphControls:
    """Names of the shape controls of an asset pack, sorted.

    Attributes:
        details: Two-sided controls such as "eyes/eye-scale" or "nose/nose-hump".
        outlines: Head outlines such as "head/head-oval", one-sided.
        ear_shapes: Ear outlines such as "ears/ear-shape-pointed", one-sided.
        asymmetries: Controls that move left and right differently, such as "asym/asym-jaw-1".
    """

    details: tuple[str, ...]
    outlines: tuple[str, ...]
    ear_shapes: tuple[str, ...]
    asymmetries: tuple[str, ...]


@dataclass(frozen=True)
class MorphTarget:
    """Sparse displacement: base vertex ids [n] and offsets [n, 3] in decimetres."""

    vertex_ids: IntArray
    offsets: FloatArray


@dataclass(frozen=True)
class Control:
    """Targets moved by a negative and by a positive weight (left and right side together)."""

    negative: tuple[str, ...]
    positive: tuple[str, ...]


@dataclass(frozen=True)
class FittedMesh:
    """A mesh bound to the base mesh: each vertex follows three base vertices.

    Attributes:
        faces: Quads [m, 4] of vertex ids; a triangle repeats its last corner.
        uv_faces: Quads [m, 4] of texture coordinate ids.
        uv: Texture coordinates [t, 2]; in hair, v is 1 at the roots and 0 at the tips.
        anchors: Base vertex ids [n, 3].
        anchor_weights: Weights [n, 3].
        offsets: Offset [n, 3] added after scaling.
        scale_refs: Per axis (vertex a, vertex b, reference length): offsets scale with the
            distance of a and b along that axis.
    """

    faces: IntArray
    uv_faces: IntArray
    uv: FloatArray
    anchors: IntArray
    anchor_weights: FloatArray
    offsets: FloatArray
    scale_refs: tuple[tuple[int, int, float], ...]

    def fit(self, base: FloatArray) -> FloatArray:
        """Return the vertices [n, 3] on a morphed base mesh [19158, 3]."""
        scale = np.array(
            [
                abs(base[first, axis] - base[second, axis]) / reference
                for axis, (first, second, reference) in enumerate(self.scale_refs)
            ]
        )
        corners = base[self.anchors]
        return np.einsum("nkc,nk->nc", corners, self.anchor_weights) + self.offsets * scale


@dataclass(frozen=True, eq=False)
class HeadAssets:
    """Everything in the pack.

    Attributes:
        base: Base mesh vertices [19158, 3]; y up, +z is the face; unused ones are zero.
        body_faces: Quads [m, 4] of head, neck and shoulders.
        eyeballs: Vertex ids of the left (+x) and right eye ball.
        targets: Morph targets by name.
        meshes: Fitted meshes by name, such as "hair/bob01", "cloth/male_casualsuit01", "teeth".
        control_targets: Targets of every two-sided or one-sided shape control.
        controls: Names of those controls in groups.
    """

    base: FloatArray
    body_faces: IntArray
    eyeballs: tuple[IntArray, IntArray]
    targets: Mapping[str, MorphTarget]
    meshes: Mapping[str, FittedMesh]
    control_targets: Mapping[str, Control]
    controls: MorphControls


def default_pack_path() -> Path:
    """Return where a pack of one's own lies, in the user's cache folder."""
    return user_cache_folder() / PACK_NAME


def load_assets(path: str | Path | None = None) -> HeadAssets:
    """Load the head asset pack.

    Args:
        path: The pack; by default the file named by the variable TRIPTYCH_MAKEHUMAN, else one's own
            in the cache folder, else the embedded one.

    Raises:
        UserError: There is no such file, or it is not a head asset pack.
    """
    source = _source(path)
    if not source.is_file():
        raise UserError(
            f"head assets: got {source}, which does not exist; leave out --pack and "
            f"{PACK_VARIABLE} to use the embedded pack, or build one: triptych data makehuman "
            f"--from DIR DIR --out {source}"
        )
    try:
        return _assets_from(read_arrays(source))
    except (KeyError, ValueError, IndexError, OSError) as error:
        raise UserError(
            f"head assets: {source} is not a head asset pack ({error}); build it again with: "
            f"triptych data makehuman --from DIR DIR --out {source}"
        ) from error


def _source(path: str | Path | None = None) -> Path:
    named = path or os.environ.get(PACK_VARIABLE)
    if named:
        return Path(named)
    own = default_pack_path()
    return own if own.is_file() else EMBEDDED_PACK


def _assets_from(arrays: Mapping[str, np.ndarray]) -> HeadAssets:
    check_columns(arrays, ["base/vertices"], 3)
    check_columns(arrays, ["base/faces"], 4)
    base = np.zeros((_NUM_BASE_VERTICES, 3))
    base[_base_ids(arrays, "base/vertex_ids")] = arrays["base/vertices"] / _BASE_UNITS
    check_reach({"base/vertices": base})
    targets = _targets_from(arrays)
    control_targets = _control_targets(targets)
    return HeadAssets(
        base=base,
        body_faces=_base_ids(arrays, "base/faces"),
        eyeballs=(_base_ids(arrays, "base/helper-l-eye"), _base_ids(arrays, "base/helper-r-eye")),
        targets=targets,
        meshes=_meshes_from(arrays),
        control_targets=control_targets,
        controls=_group_controls(control_targets, targets),
    )


def _base_ids(arrays: Mapping[str, np.ndarray], name: str) -> IntArray:
    return indices_of(arrays, name, _NUM_BASE_VERTICES)


def _targets_from(arrays: Mapping[str, np.ndarray]) -> dict[str, MorphTarget]:
    vertex_ids = _base_ids(arrays, "targets/idx")
    bounds = indices_of(arrays, "targets/ptr", len(vertex_ids) + 1)
    offsets = np.stack([arrays[f"targets/d{axis}"] for axis in "xyz"], axis=1) / _TARGET_UNITS
    check_reach({"targets": offsets})
    if len(offsets) != len(vertex_ids):
        raise ValueError(f"targets: got {len(offsets)} offsets of {len(vertex_ids)} vertices")
    return {
        str(name): MorphTarget(vertex_ids[start:end], offsets[start:end])
        for name, start, end in zip(arrays["targets/names"], bounds[:-1], bounds[1:], strict=True)
    }


def _meshes_from(arrays: Mapping[str, np.ndarray]) -> dict[str, FittedMesh]:
    names = sorted({key[3 : key.rindex("/")] for key in arrays if key.startswith("px/")})
    return {name: _mesh_from(arrays, f"px/{name}/") for name in names}


def _mesh_from(arrays: Mapping[str, np.ndarray], prefix: str) -> FittedMesh:
    check_columns(arrays, [prefix + name for name in ("faces", "uvfaces")], 4)
    check_columns(arrays, [prefix + name for name in ("bind_idx", "bind_w", "bind_off")], 3)
    check_columns(arrays, [prefix + "uv"], 2)
    anchors, uv = _base_ids(arrays, prefix + "bind_idx"), arrays[prefix + "uv"] / _UV_UNITS
    anchor_weights = arrays[prefix + "bind_w"] / _BINDING_UNITS
    offsets = arrays[prefix + "bind_off"] / _BINDING_UNITS
    if not len(anchors) == len(anchor_weights) == len(offsets):
        raise ValueError(f"{prefix}bind_idx, bind_w, bind_off: expected a row of each a vertex")
    check_reach({prefix + "bind_w": anchor_weights, prefix + "bind_off": offsets})
    return FittedMesh(
        faces=indices_of(arrays, prefix + "faces", len(anchors)),
        uv_faces=indices_of(arrays, prefix + "uvfaces", len(uv)),
        uv=uv,
        anchors=anchors,
        anchor_weights=anchor_weights,
        offsets=offsets,
        scale_refs=_scale_refs(arrays[prefix + "scale"], prefix),
    )


def _scale_refs(scale: np.ndarray, prefix: str) -> tuple[tuple[int, int, float], ...]:
    if scale.shape != (3, 3) or not (scale[:, 2] > 0).all():
        raise ValueError(f"{prefix}scale: expected two vertices and a length above 0 for each axis")
    if not ((scale[:, :2] >= 0) & (scale[:, :2] < _NUM_BASE_VERTICES)).all():
        raise ValueError(f"{prefix}scale: expected vertices from 0 to {_NUM_BASE_VERTICES - 1}")
    return tuple((int(first), int(second), float(length)) for first, second, length in scale)


def _control_targets(targets: Mapping[str, MorphTarget]) -> dict[str, Control]:
    """Pair up opposite targets and join those of the left and the right side."""
    negative: dict[str, list[str]] = {}
    positive: dict[str, list[str]] = {}
    for name in sorted(targets):
        folder, _, leaf = name.partition("/")
        if folder not in _SHAPE_FOLDERS:
            continue
        control, side = _control_of(f"{folder}/{re.sub('^[lr]-', '', leaf)}")
        if control not in _POSE_CONTROLS:
            (negative if side < 0 else positive).setdefault(control, []).append(name)
    return {
        control: Control(tuple(negative.get(control, ())), tuple(positive.get(control, ())))
        for control in sorted({*negative, *positive})
    }


def _control_of(name: str) -> tuple[str, int]:
    for low, high in _OPPOSITES:
        if name.endswith(f"-{low}"):
            return name.removesuffix(f"-{low}"), -1
        if name.endswith(f"-{high}"):
            return name.removesuffix(f"-{high}"), +1
    return name, +1


def _group_controls(
    controls: Mapping[str, Control], targets: Mapping[str, MorphTarget]
) -> MorphControls:
    names = sorted(controls)
    outlines = tuple(
        name for name in names if name.startswith("head/") and name.split("-")[-1] in _OUTLINES
    )
    ear_shapes = tuple(name for name in names if name.startswith("ears/ear-shape-"))
    grouped = {*outlines, *ear_shapes}
    return MorphControls(
        details=tuple(name for name in names if name not in grouped),
        outlines=outlines,
        ear_shapes=ear_shapes,
        asymmetries=tuple(sorted({name[:-2] for name in targets if name.startswith("asym/")})),
    )
