"""How well and how fast photos are aligned.

    python benchmarks/alignment.py [--shards runs/data/prior_test]
        [--variants runs/data/variants_test]
                                   [--photos FOLDER] [--out report.json]

Prints three tables for each detector that is installed:

avatars   rotation error against the known cameras of heads never trained on, plain and styled
photos    the mirror test: a photo and its mirror image must get mirrored poses; on scikit-image's
          astronaut and on the pictures of a folder
time      start in a fresh process, and alignment of a photo after that
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triptych.avatars.sets.shards import ShardSet
from triptych.errors import MissingDependency
from triptych.framing import AVATAR_FRAMING
from triptych.photos.aligner import PhotoAligner
from triptych.photos.detectors.face import Face, FaceFinder
from triptych.photos.detectors.face_mesh import FaceMeshFinder
from triptych.photos.detectors.head_pose import HeadPoseFinder
from triptych.photos.detectors.rotations import angle_of
from triptych.photos.photo import read_photo
from triptych.photos.prepared_set import photos_below
from triptych.training.landmarks.checks import pose_errors

Pixels = NDArray[np.uint8]
REPEAT = 10


def finders() -> dict[str, FaceFinder]:
    """Return the detectors that are installed."""
    made: dict[str, FaceFinder] = {"avatar network": HeadPoseFinder.from_pretrained()}
    try:
        made["mediapipe"] = FaceMeshFinder()
        made["mediapipe, one look"] = FaceMeshFinder(mirrored_detection=False)
    except MissingDependency as missing:
        print(f"without mediapipe: {missing}")
    return made


def avatar_errors(finder: FaceFinder, shards: ShardSet) -> dict[str, float]:
    """Compare poses with known cameras; with several variants, each picture shows another one."""
    errors, pictures = [], 0
    for head in range(len(shards)):
        rgb, cameras = shards.get("rgb", head), shards.get("cam2world", head)
        for view in range(shards.num_views):
            pixels = np.array(rgb[(head + view) % len(rgb), view])
            pictures += 1
            if found := finder.find(pixels):
                truth = np.array(cameras[view], np.float64)
                errors.append(pose_errors(found[0], truth, None, shards.size)[0])
    return {
        "pictures": pictures,
        "found": round(len(errors) / pictures, 4),
        "rotation_deg_median": round(float(np.median(errors)), 2),
        "rotation_deg_90": round(float(np.quantile(errors, 0.9)), 2),
    }


def mirror_errors(face: Face, other: Face) -> dict[str, float]:
    """Compare a pose with the one found in the mirror image, in degrees."""
    flip = np.diag([-1.0, 1.0, 1.0])
    degrees = np.degrees
    return {
        "yaw": round(float(degrees(face.yaw)), 1),
        "pitch": round(float(degrees(face.pitch)), 1),
        "rotation_error": round(
            float(degrees(angle_of(face.rotation @ (flip @ other.rotation @ flip).T))), 2
        ),
        "yaw_error": round(abs(float(degrees(face.yaw + other.yaw))), 2),
        "pitch_error": round(abs(float(degrees(face.pitch - other.pitch))), 2),
    }


def mirror_test(finder: FaceFinder, photos: dict[str, Pixels]) -> dict[str, Any]:
    """Run the mirror test on photos by name."""
    rows: dict[str, Any] = {}
    for name, pixels in photos.items():
        found, other = finder.find(pixels), finder.find(np.ascontiguousarray(pixels[:, ::-1]))
        rows[name] = mirror_errors(found[0], other[0]) if found and other else "not found"
    errors = [row["rotation_error"] for row in rows.values() if isinstance(row, dict)]
    return {"median": round(statistics.median(errors), 2) if errors else None, "photos": rows}


def times(photo: Path) -> dict[str, float]:
    """Return seconds of a whole `triptych align`, and of one alignment after the start."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "triptych", "align", str(photo), "--out", f"{folder}/a"]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        whole = time.perf_counter() - started
    aligner = PhotoAligner(AVATAR_FRAMING)
    aligner(photo)
    spent = []
    for _ in range(REPEAT):
        started = time.perf_counter()
        aligner(photo)
        spent.append(time.perf_counter() - started)
    return {
        "fresh_process_s": round(whole, 2),
        "after_start_s": round(statistics.median(spent), 3),
    }


def main() -> None:
    from skimage.data import astronaut

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, default=Path("runs/data/prior_test"))
    parser.add_argument("--variants", type=Path, default=Path("runs/data/variants_test"))
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    photos = {"astronaut": np.asarray(astronaut())}
    for path in photos_below(options.photos) if options.photos else []:
        photos[path.name] = read_photo(path).pixels
    report: dict[str, Any] = {}
    for name, finder in finders().items():
        report[name] = {"mirror": mirror_test(finder, photos)}
        for kind, folder in (
            ("plain avatars", options.shards),
            ("styled avatars", options.variants),
        ):
            if folder.is_dir():
                report[name][kind] = avatar_errors(finder, ShardSet(folder))
    for name, rows in report.items():
        print(f"\n{name}")
        for kind in ("plain avatars", "styled avatars"):
            if kind in rows:
                print(f"  {kind}: {rows[kind]}")
        print(f"  mirror test: median rotation error {rows['mirror']['median']} degrees")
        for photo, row in rows["mirror"]["photos"].items():
            print(f"    {photo:16} {row}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "astronaut.png"
        Image.fromarray(photos["astronaut"]).save(file)
        report["time"] = times(file)
    print(f"\ntime: {report['time']}")
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
