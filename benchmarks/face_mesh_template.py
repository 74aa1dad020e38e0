"""Measure where mediapipe's face landmarks lie on a head, on avatars seen by known cameras.

    python benchmarks/face_mesh_template.py [--heads 60] [--out FILE]

Needs the extras [train] and [photo] and the head asset pack. Renders each head from eight sides,
lets mediapipe find its 468 landmarks there, triangulates every landmark from the eight rays, takes
the mean over the heads and makes it symmetric. Prints how far single heads are from the mean, how
well poses come out on heads left aside, and the similarity from the avatars' world to EG3D's, which
`triptych.framing` holds as numbers.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.avatars.assets.pack import load_assets
from triptych.avatars.builder import AvatarBuilder
from triptych.avatars.people.identity import identity_from_seed
from triptych.camera import FOCAL, look_at_camera
from triptych.framing import EG3D_FRAMING
from triptych.photos.detectors.face_mesh import (
    NUM_LANDMARKS,
    TEMPLATE_FILE,
    FaceMeshFinder,
    FaceMeshTemplate,
    five_points_of_mesh,
)
from triptych.photos.detectors.head_fit import fit_head
from triptych.photos.detectors.rotations import angle_of
from triptych.photos.detectors.window import Window
from triptych.weights.safetensors_file import FileHeader, save_tensors

FloatArray = NDArray[np.float64]

FIRST_SEED = 300_000
VIEWS = 8
SIZE = 384
LARGEST_YAW, LARGEST_PITCH = 0.6, 0.3


def shots_of_head(
    builder: AvatarBuilder, finder: FaceMeshFinder, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Return cameras [v, 4, 4] and landmarks [v, 468, 2] of the views in which a face is found."""
    rng = np.random.default_rng(seed)
    avatar = builder.build(identity_from_seed(seed, builder.assets))
    cameras, landmarks = [], []
    for yaw in np.linspace(-LARGEST_YAW, LARGEST_YAW, VIEWS) + rng.uniform(-0.05, 0.05, VIEWS):
        pitch = float(rng.uniform(-LARGEST_PITCH, LARGEST_PITCH))
        camera = look_at_camera(float(yaw), pitch).cam2world[0].double().numpy()
        pixels = avatar.render(camera, SIZE, 2).rgb
        seen = finder.landmarks(pixels, Window(SIZE / 2, SIZE / 2, 1.5 * SIZE))
        if seen is not None:
            cameras.append(camera)
            landmarks.append(seen)
    return np.array(cameras), np.array(landmarks)


def triangulate(cameras: FloatArray, landmarks: FloatArray) -> FloatArray:
    """Return the points [n, 3] nearest to the rays through landmarks [v, n, 2]."""
    normal = np.zeros((landmarks.shape[1], 3, 3))
    right = np.zeros((landmarks.shape[1], 3))
    for camera, seen in zip(cameras, landmarks, strict=True):
        flat = (seen / SIZE - 0.5) / FOCAL
        rays = np.concatenate([flat, np.ones((len(flat), 1))], axis=1) @ camera[:3, :3].T
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
        normal += across
        right += across @ camera[:3, 3]
    return np.linalg.solve(normal, right[..., None])[..., 0]


def symmetric(places: FloatArray) -> FaceMeshTemplate:
    """Pair each landmark with the one nearest to its mirror image and average the pairs."""
    from scipy.optimize import linear_sum_assignment

    flip = np.array([-1.0, 1.0, 1.0])
    distance = np.linalg.norm((places * flip)[:, None] - places[None], axis=2)
    _, mirrored = linear_sum_assignment(distance + distance.T)
    assert (mirrored[mirrored] == np.arange(NUM_LANDMARKS)).all(), "pairs are not mutual"
    return FaceMeshTemplate((places + places[mirrored] * flip) / 2, mirrored)


def similarity(source: FloatArray, target: FloatArray) -> tuple[float, FloatArray]:
    """Return scale and rotation [3, 3] that bring points [n, 3] onto others, in least squares."""
    source, target = source - source.mean(axis=0), target - target.mean(axis=0)
    left, singular, right = np.linalg.svd(source.T @ target)
    return float(singular.sum() / (source**2).sum()), (left @ right).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=60)
    parser.add_argument("--out", type=Path, default=TEMPLATE_FILE)
    options = parser.parse_args()
    builder = AvatarBuilder(load_assets())
    nothing = FaceMeshTemplate(np.zeros((NUM_LANDMARKS, 3)), np.arange(NUM_LANDMARKS))
    finder = FaceMeshFinder(nothing, mirrored_detection=False)
    shots = [shots_of_head(builder, finder, FIRST_SEED + i) for i in range(options.heads)]
    found = sum(len(cameras) for cameras, _ in shots)
    print(f"faces found in {found} of {VIEWS * options.heads} pictures")
    heads = np.array([triangulate(*shot) for shot in shots])
    apart = np.sqrt(((heads - heads.mean(axis=0)) ** 2).sum(axis=2).mean())
    print(f"heads are {apart:.4f} units from the mean (rms)")

    kept = 3 * options.heads // 4
    template = symmetric(heads[:kept].mean(axis=0))
    errors, lifts = [], []
    for cameras, landmarks in shots[kept:]:
        for camera, seen in zip(cameras, landmarks, strict=True):
            difference = fit_head(template.places, seen).rotation @ camera[:3, :3]
            errors.append(math.degrees(angle_of(difference)))
            lifts.append(math.degrees(math.asin(difference[2, 1])))
    print(
        f"poses of {options.heads - kept} heads left aside: median {np.median(errors):.2f}, "
        f"90 % {np.quantile(errors, 0.9):.2f} degrees; pitch bias {np.mean(lifts):+.2f}"
    )

    template = symmetric(heads.mean(axis=0))
    standard = EG3D_FRAMING.unit * np.array(EG3D_FRAMING.points)
    scale, turn = similarity(five_points_of_mesh(template.places), standard)
    tilt = math.degrees(math.asin(turn[2, 1]))
    print(f"to EG3D's standard face: scale {scale:.4f}, tilt {tilt:+.2f} degrees")
    save_tensors(
        options.out,
        {
            "places": torch.from_numpy(template.places).float(),
            "mirrored": torch.from_numpy(template.mirrored),
        },
        FileHeader(
            "FaceMeshTemplate",
            {"landmarks": NUM_LANDMARKS},
            provenance={
                "made by": "benchmarks/face_mesh_template.py",
                "detector": "mediapipe 0.10.21 FaceMesh",
                "heads": options.heads,
                "views": VIEWS,
                "first_seed": FIRST_SEED,
            },
            metrics={"pose_deg_median": round(float(np.median(errors)), 3)},
        ),
    )
    print(options.out)


if __name__ == "__main__":
    main()
