"""What the nodes ask of ComfyUI: progress, pictures in its form, and places for files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

Progress = Callable[[str, int, int], None]


def progress_of(node: type) -> Progress:
    """Return what shows progress on a node; ComfyUI's "cancel" ends the work there too."""
    import comfy.utils

    bar = comfy.utils.ProgressBar(1, node_id=node.hidden.unique_id)

    def report(stage: str, done: int, total: int) -> None:
        bar.update_absolute(done, max(total, 1))

    return report


def device_in_use() -> torch.device:
    """Return where ComfyUI computes."""
    import comfy.model_management

    return comfy.model_management.get_torch_device()


def pixels_of(image: Tensor):
    """Return the first picture of a batch [b, h, w, c] in [0, 1] as uint8 [h, w, 3]."""
    return (image[0, ..., :3].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def image_of(view: Tensor) -> Tensor:
    """Return pictures [b, 3, h, w] in [-1, 1] as ComfyUI has them: [b, h, w, 3] in [0, 1]."""
    return (view.permute(0, 2, 3, 1).float().cpu() / 2 + 0.5).clamp(0, 1)


def save_files(write: Callable[[Path], list[Path]], prefix: str) -> list[dict[str, str]]:
    """Let files be written and move them below ComfyUI's output folder.

    Args:
        write: Writes files into a folder and returns them.
        prefix: Beginning of their names, perhaps with folders, as in ComfyUI's own nodes.

    Returns:
        What ComfyUI shows of each: filename, subfolder, type.

    Raises:
        ValueError: The prefix leads out of the output folder.
    """
    import folder_paths

    output = Path(folder_paths.get_output_directory()).resolve()
    inside = (output / prefix).resolve()
    if not prefix.strip() or not inside.is_relative_to(output) or inside == output:
        raise ValueError(f"filename_prefix: {prefix!r} leads out of ComfyUI's output folder")
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, str(output))
    with TemporaryDirectory(dir=output, prefix=".triptych-") as place:
        written = write(Path(place))
        target = Path(folder) / f"{name}_{counter:05}_"
        if len(written) == 1:
            target = target.with_name(target.name + written[0].suffix)
            shutil.move(written[0], target)
            return [{"filename": target.name, "subfolder": subfolder, "type": "output"}]
        target.mkdir()  # files that name each other keep their names
        found = []
        for file in written:
            moved = target / file.relative_to(place)
            moved.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, moved)
            below = moved.parent.relative_to(output).as_posix()
            found.append({"filename": moved.name, "subfolder": below, "type": "output"})
        return found
