"""Avatars as an image data set in EG3D's format, with a region map beside every image.

The folder that is written:

    images/00000/img00000000.png   pictures over the plain grey background
    images/dataset.json            {"labels": [[path, 25 camera numbers], ...]}
    regions/00000/img00000000.png  region of every pixel, 0..8, as 8-bit grey
    heads.json                     seed, style and image paths of every head
    plan.json                      the plan of the data set

`images` alone is the data set that EG3D reads. It uses every picture below its folder, so that the
region maps are outside.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from triptych.errors import UserError, check_range
from triptych.files import PLAN_FILE, atomic_path, write_json
from triptych.planned_folder import planned_folder
from triptych.seeds import check_seed

if TYPE_CHECKING:
    from triptych.avatars.builder import AvatarBuilder

ORIGINAL = "original"
_VERSION = 1
_PICTURES_PER_FOLDER = 1000
_SUPERSAMPLING = 3
_WRITTEN = ("images", "regions", "heads.json", PLAN_FILE)


@dataclass(frozen=True)
class DatasetPlan:
    """Contents of a data set; equal plans give equal files.

    Attributes:
        count: Number of heads; seeds in a row.
        views: Pictures per head, the first nearly frontal.
        size: Side of the pictures in pixels.
        seed: Seed of the first head; seeds below 100,000 belong to users and tests.
        styles: Styles to draw from, one per head; names may be joined by a plus sign, and
            "original" is the head as it is. Empty means all original.
    """

    count: int
    views: int = 8
    size: int = 256
    seed: int = 100_000
    styles: tuple[str, ...] = ()


def write_avatar_dataset(
    out: str | Path,
    count: int,
    views: int = 8,
    size: int = 256,
    seed: int = 100_000,
    styles: Sequence[str] | None = None,
    overwrite: bool = False,
    *,
    pack: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DatasetPlan:
    """Write an avatar data set; an interrupted one continues at the first unfinished head.

    Args:
        out: Folder of the data set (see the module's text).
        count: Number of heads.
        views: Pictures per head.
        size: Side of the pictures in pixels.
        seed: Seed of the first head.
        styles: Styles to draw from, one per head; None leaves every head as it is.
        overwrite: Replace another data set in the folder.
        pack: Head asset pack; the default places when None.
        progress: Called with (finished heads, all heads) after each head.

    Raises:
        UserError: A number is out of range, a style is unknown, the folder holds something else,
            or there is no asset pack.
    """
    from triptych.avatars.assets.pack import load_assets
    from triptych.avatars.builder import AvatarBuilder

    plan = DatasetPlan(count, views, size, seed, tuple(styles or ()))
    _check(plan)
    assets = load_assets(pack)
    folder = Path(out)
    with _opened(folder, plan, overwrite=overwrite):
        _write_heads(AvatarBuilder(assets), folder, plan, progress)
    return plan


def _write_heads(
    builder: AvatarBuilder,
    folder: Path,
    plan: DatasetPlan,
    progress: Callable[[int, int], None] | None,
) -> None:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "regions").mkdir(exist_ok=True)
    heads = []
    labels: list[list[Any]] = []
    for head in range(plan.count):
        record, head_labels = _head(plan, head)
        if not all(_is_written(folder, path) for path in record["images"]):
            _render_head(builder, folder, plan, record, head_labels)
        heads.append(record)
        labels += [[path, label] for path, label in zip(record["images"], head_labels, strict=True)]
        if progress is not None:
            progress(head + 1, plan.count)
    write_json(folder / "heads.json", heads)
    write_json(folder / "images" / "dataset.json", {"labels": labels})


def _check(plan: DatasetPlan) -> None:
    check_range("count", plan.count, 1, 10_000_000)
    check_range("views", plan.views, 1, 1000)
    check_range("size", plan.size, 16, 1024)
    check_seed("seed", plan.seed)
    from triptych.avatars.styles.catalogue import style_named

    for name in plan.styles:
        if name != ORIGINAL:
            style_named(name)


def _opened(folder: Path, plan: DatasetPlan, *, overwrite: bool) -> AbstractContextManager[None]:
    """Make or re-enter the folder of a data set.

    Raises:
        UserError: It holds another data set or other files, and may not be overwritten.
    """

    def clear(present: list[str]) -> None:
        if foreign := [name for name in present if name not in _WRITTEN]:
            raise UserError(
                f"{folder} holds files that are no part of a data set ({foreign[0]}); "
                "choose another folder"
            )
        for path in map(folder.joinpath, present):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    return planned_folder(
        folder,
        {"version": _VERSION, **asdict(plan)},
        contents="data set",
        overwrite=overwrite,
        clear=clear,
    )


def _head(plan: DatasetPlan, head: int) -> tuple[dict[str, Any], list[list[float]]]:
    """Return the record of a head (seed, style, image paths) and its camera labels."""
    import torch

    from triptych.avatars.sets.shards import ShardPlan, random_cameras
    from triptych.camera import Camera

    seed = plan.seed + head
    rng = np.random.default_rng([21, seed])
    shots = ShardPlan(first_seed=seed, num_heads=1, num_views=plan.views, size=plan.size)
    cam2world = torch.from_numpy(random_cameras(shots, rng))
    style = str(rng.choice(plan.styles)) if plan.styles else ORIGINAL
    first = head * plan.views
    record = {
        "seed": seed,
        "style": style,
        "images": [_picture_path(first + view) for view in range(plan.views)],
    }
    return record, Camera.with_focal(cam2world).label25().tolist()


def _picture_path(index: int) -> str:
    return f"{index // _PICTURES_PER_FOLDER:05d}/img{index:08d}.png"


def _is_written(folder: Path, path: str) -> bool:
    return (folder / "images" / path).exists() and (folder / "regions" / path).exists()


def _render_head(
    builder: AvatarBuilder,
    folder: Path,
    plan: DatasetPlan,
    record: dict[str, Any],
    labels: list[list[float]],
) -> None:
    from triptych.avatars.people.identity import identity_from_seed
    from triptych.avatars.styles.catalogue import style_named

    identity = identity_from_seed(record["seed"], builder.assets)
    style = None if record["style"] == ORIGINAL else style_named(record["style"])
    avatar = builder.build(identity, style)
    for path, label in zip(record["images"], labels, strict=True):
        cam2world = np.array(label[:16]).reshape(4, 4)
        picture = avatar.render(cam2world, plan.size, _SUPERSAMPLING)
        _save_png(folder / "regions" / path, picture.regions)
        _save_png(folder / "images" / path, picture.rgb)


def _save_png(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary)
