"""The files that every verb leaves that makes a portrait: the portrait, its video, its mesh."""

from __future__ import annotations

import time
from pathlib import Path

from triptych.export.mesh import RESOLUTION, portrait_mesh, save_mesh
from triptych.export.video import NUM_FRAMES, save_turntable
from triptych.portrait import Portrait
from triptych.progress import Progress, count_steps
from triptych.runs import extras

PORTRAIT_FILE, TURNTABLE_FILE, MESH_FILE = "portrait.safetensors", "turntable.mp4", "mesh.glb"


def save_portrait_files(
    portrait: Portrait,
    folder: Path,
    progress: Progress,
    *,
    film_rays: int | None = None,
    mesh_resolution: int = RESOLUTION,
) -> dict[str, float]:
    """Write portrait, turntable and mesh; within `extras.left_out` the portrait alone.

    Args:
        portrait: What to save.
        folder: Where to.
        progress: Called with (stage, done, total).
        film_rays: Rays along each side of the turntable; see `save_turntable`.
        mesh_resolution: Samples of the mesh along each side of the box.

    Returns:
        Seconds spent on the video and on the mesh, by name.
    """
    portrait.save(folder / PORTRAIT_FILE)
    if not extras.wanted():
        return {}
    started = time.monotonic()
    frame_done = count_steps(progress, "filming", NUM_FRAMES)
    save_turntable(folder / TURNTABLE_FILE, portrait, rays=film_rays, step=frame_done)
    filmed = time.monotonic()
    progress("making the mesh", 0, 1)
    save_mesh(folder / MESH_FILE, portrait_mesh(portrait, resolution=mesh_resolution))
    progress("making the mesh", 1, 1)
    return {
        "turntable": round(filmed - started, 2),
        "mesh": round(time.monotonic() - filmed, 2),
    }
