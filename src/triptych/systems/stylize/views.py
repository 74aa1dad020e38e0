"""FF3D's Algorithm 1: a head from many sides, every view edited with the same prompt."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from triptych.camera import Camera, grid_of_views
from triptych.editors.image_editor import EditorWarning, EditRequest, ImageEditor
from triptych.errors import UserError
from triptych.export.pictures import save_png
from triptych.files import write_json
from triptych.ops.colour import from_uint8, to_uint8
from triptych.photos.matting import HeadMatting
from triptych.photos.photo import read_pixels
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress
from triptych.systems.stylize.settings import StylizeSettings
from triptych.weights.safetensors_file import FileHeader, load_tensors, save_tensors

RENDERING, EDITING = "rendering views", "editing views"
_ORIGINALS = "originals.safetensors"
_VIEWS_AT_ONCE = 4
_NEIGHBOURS = 5
_BLOCKS = 4


@dataclass(frozen=True, eq=False)
class OriginalViews:
    """The head before it is edited; index 0 is the exact front.

    Attributes:
        cameras: v cameras.
        images: Pictures [v, 3, H, W] in [-1, 1].
        depth: Distance along the ray [v, 1, h, w] at the size of the rays.
        alpha: Opacity [v, 1, h, w].
    """

    cameras: Camera
    images: Tensor
    depth: Tensor
    alpha: Tensor


@dataclass(frozen=True, eq=False)
class EditedViews:
    """The data set of one style (FF3D's D_s).

    Attributes:
        originals: The same views before editing.
        images: Edited pictures [v, 3, H, W] in [-1, 1].
        scores: Inconsistency of each view with its neighbours [v], on the CPU; about 1 is ordinary.
        kept: Views that agree well enough [v], bool, on the CPU; the front always does.
    """

    originals: OriginalViews
    images: Tensor
    scores: Tensor
    kept: Tensor

    @property
    def cameras(self) -> Camera:
        """The v cameras."""
        return self.originals.cameras

    @property
    def front(self) -> Tensor:
        """The edited front view [1, 3, H, W], which is the input of Image-to-Triplane."""
        return self.images[:1]

    @property
    def dropped(self) -> list[int]:
        """Indices of the views left out."""
        return [int(index) for index in (~self.kept).nonzero()[:, 0]]


def cameras_of(portrait: TriPlanePortrait, settings: StylizeSettings) -> Camera:
    """Return the front, then the grid of views, low pitch to high, yaw fastest."""
    yaw, pitch = settings.yaw_range, settings.pitch_range
    grid = grid_of_views(settings.num_yaw, settings.num_pitch, (-yaw, yaw), (-pitch, pitch))
    # A grid with an even number of columns has no view at zero, and H must always see the front.
    front = portrait.config.view.camera()
    around = portrait.config.view.camera(grid.yaw, grid.pitch)
    return Camera.stack([front, around])


def render_originals(
    portrait: TriPlanePortrait, settings: StylizeSettings, folder: Path, progress: Progress
) -> OriginalViews:
    """Render all views of the head, or read them from the folder of an interrupted run."""
    device = portrait.planes.device
    cameras = cameras_of(portrait, settings).to(device)
    file = folder / _ORIGINALS
    if file.exists():
        tensors, _ = load_tensors(file, "OriginalViews")
    else:
        tensors = _rendered(portrait, cameras, settings.image_size, progress)
        save_tensors(file, tensors, FileHeader("OriginalViews", {}))
    tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
    progress(RENDERING, len(cameras), len(cameras))
    images = from_uint8(tensors["images"])
    return OriginalViews(cameras, images, tensors["depth"], tensors["alpha"])


def _rendered(
    portrait: TriPlanePortrait, cameras: Camera, size: int | None, progress: Progress
) -> dict[str, Tensor]:
    views = []
    for start in range(0, len(cameras), _VIEWS_AT_ONCE):
        progress(RENDERING, start, len(cameras))
        views.append(portrait.render(cameras[start : start + _VIEWS_AT_ONCE], size))
    return {
        "images": to_uint8(torch.cat([view.image for view in views])),
        "depth": torch.cat([view.depth for view in views]),
        "alpha": torch.cat([view.alpha for view in views]),
    }


def edit_views(
    originals: OriginalViews,
    editor: ImageEditor,
    request: EditRequest,
    settings: StylizeSettings,
    folder: Path,
    record: dict[str, Any],
    progress: Progress,
    matting: HeadMatting | None = None,
) -> EditedViews:
    """Edit every view with one prompt and one noise; pictures that are there already are kept.

    Args:
        originals: The head's views.
        editor: Carries out the request.
        request: The prompt and the seed of the one noise.
        settings: Batch and rules for outliers.
        folder: Where `view_000.png` (the front) ... and `views.json` go.
        record: What `views.json` says beside the cameras.
        progress: Called as views are finished.
        matting: Separates the head from what the editor drew behind it.

    Reference:
        FF3D, Algorithm 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "views.json", _description(originals, settings, record))
    total, size = len(originals.images), originals.images.shape[-2:]
    alpha = F.interpolate(originals.alpha, size, mode="area")
    if not settings.plain_background:
        matting = None
    for batch in torch.arange(total).split(settings.edit_batch):
        files = [folder / view_name(int(index)) for index in batch]
        # The batch is the unit of work: an interrupted batch gives the same pictures again.
        if not all(file.exists() for file in files):
            progress(EDITING, int(batch[0]), total)
            edited = _edited(originals.images[batch], alpha[batch], editor, request, matting)
            for file, pixels in zip(files, to_uint8(edited), strict=True):
                save_png(file, pixels.cpu().numpy())
    progress(EDITING, total, total)
    # Read back even what was just made: a resumed run must see exactly the same pictures.
    pictures = torch.stack([read_view(folder / view_name(i)) for i in range(total)])
    images = from_uint8(pictures).to(originals.images.device)
    if images.shape != originals.images.shape:
        raise UserError(
            f"the pictures in {folder} are {images.shape[-1]} pixels wide; expected "
            f"{originals.images.shape[-1]}; remove that folder"
        )
    scores = inconsistency(view_statistics(images, alpha), originals.cameras.positions).cpu()
    kept = consistent_views(scores, settings.outlier_ratio, settings.outlier_fraction)
    return EditedViews(originals, images, scores, kept)


def _edited(
    images: Tensor,
    alpha: Tensor,
    editor: ImageEditor,
    request: EditRequest,
    matting: HeadMatting | None,
) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EditorWarning)  # said once, in the report
        edited = editor.edit(images, request)
    if matting is None:
        return edited
    # White marble looks like background; where the head was before, it is still.
    return matting.on_plain_background(edited, alpha.to(edited))


def view_statistics(images: Tensor, alpha: Tensor) -> Tensor:
    """Describe views by where their colours lie.

    Args:
        images: Edited views [v, 3, h, w] in [-1, 1].
        alpha: Opacity [v, 1, h, w] of the original head in the same views.

    Returns:
        Mean and spread of the head's colour and the colours of 4 x 4 blocks, [v, 54].
    """
    weight = alpha / alpha.sum((2, 3), keepdim=True).clamp(min=1e-6)
    mean = (images * weight).sum((2, 3))
    variance = ((images - mean[..., None, None]).square() * weight).sum((2, 3))
    blocks = F.adaptive_avg_pool2d(images, _BLOCKS).flatten(1)
    return torch.cat([mean, variance.sqrt(), blocks], 1)


def inconsistency(statistics: Tensor, directions: Tensor) -> Tensor:
    """Score how much each view differs from the views beside it.

    The score is the median distance to the nearest five views, so one bad neighbour does not
    count, and it is relative to the middle view, so a style that changes with the view does not.

    Args:
        statistics: Descriptions of the views [v, d].
        directions: Where each camera stands, [v, 3].

    Returns:
        Scores [v]; about 1 for ordinary views.
    """
    neighbours = min(_NEIGHBOURS, len(statistics) - 1)
    if neighbours < 1:
        return torch.ones(len(statistics))
    angles = torch.cdist(F.normalize(directions, dim=1), F.normalize(directions, dim=1))
    angles.fill_diagonal_(float("inf"))
    nearest = angles.topk(neighbours, largest=False).indices
    distances = (statistics[:, None] - statistics[nearest]).square().mean(-1).sqrt()
    scores = distances.median(1).values
    # Below a hundredth of the colour range a difference is rounding, not disagreement.
    return scores / scores.median().clamp(min=0.01)


def consistent_views(scores: Tensor, ratio: float, largest_share: float) -> Tensor:
    """Choose the views to keep: all but the worst, and always the front (index 0).

    Args:
        scores: Inconsistency [v].
        ratio: Scores above this are dropped.
        largest_share: Largest share of the views that may be dropped.

    Returns:
        Kept views [v], bool.
    """
    suspects = scores.clone()
    suspects[0] = 0.0
    worst_first = suspects.argsort(descending=True)[: int(largest_share * len(scores))]
    kept = torch.ones(len(scores), dtype=torch.bool)
    kept[worst_first[suspects[worst_first] > ratio]] = False
    return kept


def view_name(index: int) -> str:
    """Return the file name of a view."""
    return f"view_{index:03d}.png"


def _description(
    originals: OriginalViews, settings: StylizeSettings, record: dict[str, Any]
) -> dict[str, Any]:
    labels = originals.cameras.label25().tolist()
    return {
        **record,
        "size": int(originals.images.shape[-1]),
        "grid": [settings.num_yaw, settings.num_pitch],
        "views": [{"file": view_name(i), "camera": label} for i, label in enumerate(labels)],
    }


def read_view(path: Path) -> Tensor:
    """Read an edited view as uint8 [h, w, 3].

    Raises:
        UserError: The file is absent or damaged; removed, it is made again.
    """
    try:
        return torch.from_numpy(read_pixels(path))
    except UserError as error:
        raise UserError(f"{error}; remove it and run again") from error
