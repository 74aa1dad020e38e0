"""Every public call refuses what it cannot use: one line that names the argument, nothing written.

The first table has a right call of each function, of which every argument is replaced by values
that fit nothing; the second has wrong values of the right type, or nearly.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from toy_inversion import CAMERA, head_of
from toy_inversion import toy_pipeline as inversion_pipeline
from toy_portraits import sphere_portrait, tiny_generator, tiny_portrait
from toy_stylize import RecolouringEditor
from toy_stylize import toy_pipeline as stylize_pipeline

from triptych import Camera, GeneratePipeline, InvertPipeline, Portrait, StylizePipeline, View
from triptych import camera as cameras
from triptych.editors.image_editor import EditRequest
from triptych.errors import UserError
from triptych.export import mesh, pictures, sheets, video
from triptych.photos.aligner import PhotoAligner
from triptych.photos.photo import as_photo, read_photo
from triptych.portrait import TriPlanePortrait
from triptych.weights import load_features, load_generator, load_head_pose

GENERATOR, PORTRAIT = tiny_generator(), tiny_portrait()
VIEW = View.cat([PORTRAIT.render(CAMERA, 16)])
POINTS = torch.tensor([[0.0, 0.0, 0.1]])
PIXELS = np.zeros((64, 64, 3), np.uint8)
IMAGE = torch.zeros(3, 16, 16)
RANDOM = torch.Generator()
BALL = sphere_portrait()
MESH = mesh.Mesh(*(np.zeros((3, 3), kind) for kind in (np.float32, np.int32, float, float)))
GENERATE, STYLIZE = GeneratePipeline(GENERATOR), stylize_pipeline()
INVERT = inversion_pipeline(GENERATOR)
NO_CAMERA = Camera(torch.zeros(0, 4, 4), torch.zeros(0, 3, 3))

Call = tuple[Callable[..., Any], dict[str, Any]]

CALLS: dict[str, Call] = {
    "Camera": (Camera, {"cam2world": CAMERA.cam2world, "intrinsics": CAMERA.intrinsics}),
    "Camera.to": (CAMERA.to, {"device": "cpu"}),
    "Camera.project": (CAMERA.project, {"points": POINTS[None]}),
    "Camera.from_label25": (Camera.from_label25, {"label": CAMERA.label25()}),
    "Camera.with_focal": (Camera.with_focal, {"cam2world": CAMERA.cam2world, "focal": 4.0}),
    "Camera.stack": (Camera.stack, {"cameras": [CAMERA]}),
    "look_at_camera": (
        cameras.look_at_camera,
        {"yaw": 0.1, "pitch": [0.1, 0.2], "radius": 2, "target": (0, 0, 0.2), "focal": 4.0},
    ),
    "eg3d_look_at": (
        cameras.eg3d_look_at,
        {"horizontal": 1.5, "vertical": 1.5, "radius": 2, "target": (0, 0, 0), "focal": 4.0},
    ),
    "camera_at": (
        cameras.camera_at,
        {"position": torch.tensor([[0.0, 0.0, 2.0]]), "target": np.zeros(3), "focal": 4.0},
    ),
    "focal_from_fov_deg": (cameras.focal_from_fov_deg, {"fov_deg": 18.0}),
    "orbit": (cameras.orbit, {"num": 2, "yaw_range": (-0.1, 0.1), "pitch": 0.0}),
    "grid_of_views": (
        cameras.grid_of_views,
        {"num_yaw": 2, "num_pitch": 1, "yaw_range": (0, 0.1), "pitch_range": [0, 0.1]},
    ),
    "random_views": (
        cameras.random_views,
        {"num": 2, "yaw_range": (0, 0.1), "pitch_range": (0, 0.1), "generator": RANDOM},
    ),
    "Portrait.load": (Portrait.load, {"path": "portrait.safetensors", "device": "cpu"}),
    "Portrait.save": (PORTRAIT.save, {"path": "other.safetensors", "exact": True}),
    "Portrait.to": (PORTRAIT.to, {"device": "cpu"}),
    "Portrait.render": (
        PORTRAIT.render,
        {"camera": CAMERA, "size": 16, "supersampling": 1, "path": "exact"},
    ),
    "Portrait.orbit": (PORTRAIT.orbit, {"yaw": 0.1, "pitch": 0.1}),
    "Portrait.path_taken": (PORTRAIT.path_taken, {"path": "fast"}),
    "Portrait.geometry_grid": (PORTRAIT.geometry_grid, {"resolution": 4, "path": "exact"}),
    "Portrait.colours": (PORTRAIT.colours, {"points": POINTS, "normals": POINTS}),
    "from_generator": (
        TriPlanePortrait.from_generator,
        {"generator": GENERATOR, "ws": PORTRAIT.ws, "provenance": {}, "path": "exact"},
    ),
    "View.cat": (View.cat, {"views": [VIEW]}),
    "View.to": (VIEW.to, {"device": "cpu"}),
    "View.resized": (VIEW.resized, {"size": 8}),
    "View.averaged": (VIEW.averaged, {"factor": 2}),
    "GeneratePipeline": (GeneratePipeline, {"generator": GENERATOR, "name": "a", "hashes": {}}),
    "GeneratePipeline.to": (GENERATE.to, {"device": "cpu", "dtype": torch.float32}),
    "GeneratePipeline()": (GENERATE, {"seed": 7, "truncation_psi": 0.5}),
    "style_codes": (GENERATE.style_codes, {"seed": 7, "truncation_psi": 0.5}),
    "StylizePipeline": (
        StylizePipeline,
        {"generator": GENERATOR, "image_to_triplane": None, "editor": RecolouringEditor()},
    ),
    "StylizePipeline.to": (STYLIZE.to, {"device": "cpu", "dtype": torch.float32}),
    "StylizePipeline.subject": (STYLIZE.subject, {"identity": 3}),
    "InvertPipeline.to": (INVERT.to, {"device": "cpu", "dtype": torch.float32}),
    "PhotoAligner": (
        PhotoAligner,
        {"detector": "avatar", "size": 64, "limits": None},
    ),
    "PhotoAligner.to": (PhotoAligner().to, {"device": "cpu"}),
    "colour_picture": (pictures.colour_picture, {"image": IMAGE}),
    "view_pictures": (
        pictures.view_pictures,
        {"portrait": PORTRAIT, "camera": CAMERA, "size": 16},
    ),
    "depth_picture": (pictures.depth_picture, {"view": VIEW}),
    "normal_picture": (pictures.normal_picture, {"view": VIEW, "camera": CAMERA}),
    "save_png": (pictures.save_png, {"path": "a.png", "pixels": PIXELS}),
    "portrait_mesh": (
        mesh.portrait_mesh,
        {"portrait": BALL, "resolution": 16, "level": None},
    ),
    "save_mesh": (mesh.save_mesh, {"path": "a.ply", "mesh": MESH}),
    "turntable_angles": (
        video.turntable_angles,
        {"num_frames": 2, "yaw_swing": 0.1, "pitch_swing": 0.1},
    ),
    "picture_sheet": (
        sheets.picture_sheet,
        {"rows": [[PIXELS]], "row_labels": ["a"], "column_labels": ["a"], "cell": 16},
    ),
    "save_image_rows": (
        sheets.save_image_rows,
        {"path": "rows.png", "rows": [[IMAGE]], "labels": ["a"], "column_labels": None},
    ),
    "read_photo": (read_photo, {"path": "a.png"}),
    "as_photo": (as_photo, {"image": PIXELS}),
}

MISUSED: dict[str, tuple[Callable[[Any], Any], list[tuple[Any, str]]]] = {
    "load_generator": (
        load_generator,
        [(7, "name_or_path: got 7"), (None, "got None"), ("", "no file|no model")],
    ),
    "load_features": (load_features, [(b"x", "expected str or Path"), ("nobody", "no model")]),
    "load_head_pose": (load_head_pose, [([], "expected str or Path")]),
    "save_video": (
        lambda frames: video.save_video("a.mp4", frames),
        [
            ([], "at least one frame"),
            (None, "frames: got None; expected a sequence"),
            ([PIXELS / 255], "frame of a video: got float64"),
            ([PIXELS.transpose(2, 0, 1)], r"got uint8 \[3, 64, 64\]; expected"),
            ([IMAGE], "frame of a video: got a value of type Tensor; expected ndarray"),
        ],
    ),
    "save_turntable": (
        lambda frames: video.save_turntable("a.mp4", PORTRAIT, num_frames=frames),
        [(0, "number of frames: got 0"), (2.0, "num_frames: got 2.0"), ("2", "got '2'")],
    ),
    "from_pretrained": (
        GeneratePipeline.from_pretrained,
        [(7, "model: got 7; expected str or Path"), (None, "got None"), (True, "got True")],
    ),
    "from_pretrained editor": (
        lambda editor: StylizePipeline.from_pretrained("avatar", editor),
        [("instruct-pix2pix", "editor: got 'instruct-pix2pix'; expected ImageEditor or None")],
    ),
    "from_pretrained encoder": (
        lambda encoder: InvertPipeline.from_pretrained("avatar", encoder),
        [(7, "encoder: got 7"), (None, "encoder: got None; expected str or Path")],
    ),
    "from_pretrained device": (
        lambda device: InvertPipeline.from_pretrained(device=device),
        [("warp", "device: got 'warp', which torch cannot use here"), (0.5, "device: got 0.5")],
    ),
    "to dtype": (
        lambda dtype: GENERATE.to("cpu", dtype),
        [(torch.int8, "dtype: got torch.int8"), ("float16", "dtype: got 'float16'")],
    ),
    "as_photo": (
        as_photo,
        [
            (
                PIXELS.transpose(2, 0, 1),
                r"of uint8 \[3, 64, 64\]; expected .* uint8 \[h, w",
            ),
            (PIXELS.astype(np.float32), r"ndarray of float32 \[64, 64, 3\]; expected"),
            (PIXELS.astype(np.uint16), "ndarray of uint16"),
            (PIXELS[:0], r"ndarray of uint8 \[0, 64, 3\]"),
            (PIXELS[..., :2], r"ndarray of uint8 \[64, 64, 2\]"),
            (torch.zeros(3, 64, 64, dtype=torch.uint8), r"torch.uint8 \[1, 3, 64, 64\]; expected"),
            (torch.zeros(64, 64, 3), r"\[1, 64, 64, 3\]; expected floats \[v, 3, h, w\]"),
            (torch.zeros(2, 3, 64, 64), "got 2 images; expected one"),
            (torch.full((3, 64, 64), 255.0), "got values from 255 to 255; expected -1 to 1"),
            (torch.zeros(3, 64, 64, device="meta"), "without values"),
            (torch.zeros(3, 64, 64).to_sparse(), "without values"),
            ([], "got list"),
            (None, "got NoneType"),
        ],
    ),
    "PhotoAligner detector": (
        lambda detector: PhotoAligner(detector=detector),
        [("dlib", "detector: got 'dlib'; expected one of auto, mediapipe, avatar"), (7, "got 7")],
    ),
    "PhotoAligner size": (
        lambda size: PhotoAligner(size=size),
        [(0, "size: got 0"), (10**9, "size: got 1000000000; expected a whole number")],
    ),
    "render camera": (
        PORTRAIT.render,
        [(NO_CAMERA, "camera: got no views"), (CAMERA.label25(), "type Tensor; expected Camera")],
    ),
    "render size": (
        lambda size: PORTRAIT.render(CAMERA, size),
        [(0, "size: got 0"), (16.0, "size: got 16.0; expected a whole"), (10**9, "got 1000000000")],
    ),
    "render path": (
        lambda path: PORTRAIT.render(CAMERA, 16, path=path),
        [("slow", "path: got 'slow'; expected one of fast"), (None, "path: got None")],
    ),
    "load": (
        Portrait.load,
        [("", "cannot read|no file"), (True, "path: got True; expected str or Path"), (1, "got 1")],
    ),
    "geometry_grid": (
        PORTRAIT.geometry_grid,
        [(1, "grid resolution: got 1"), (10**5, "grid resolution: got 100000"), (8.0, "got 8.0")],
    ),
    "colours": (
        lambda points: PORTRAIT.colours(points, POINTS),
        [(torch.zeros(3), r"got torch.float32 \[3\]"), (POINTS.int(), "got torch.int32")],
    ),
    "from_generator planes": (
        lambda planes: TriPlanePortrait.from_generator(GENERATOR, PORTRAIT.ws, planes=planes),
        [(torch.zeros(1, 3, 5, 8, 8), r"planes: got .*; expected floats \[1, 3, 4, h, w\]")],
    ),
    "View.cat": (View.cat, [([], "views: got none"), ([CAMERA], "expected a sequence, each View")]),
    "averaged": (VIEW.averaged, [(0, "factor: got 0"), (17, "factor: got 17"), (2.0, "got 2.0")]),
    "colour_picture": (
        pictures.colour_picture,
        [
            (IMAGE[None], r"got torch.float32 \[1, 3, 16, 16\]; expected floats \[3, h, w\]"),
            (IMAGE.byte(), "got torch.uint8"),
            (PIXELS, "type ndarray; expected Tensor"),
        ],
    ),
    "depth_picture": (pictures.depth_picture, [(VIEW[:0], "got 0 views; expected one")]),
    "normal_picture": (
        lambda camera: pictures.normal_picture(VIEW, camera),
        [(cameras.orbit(2), "camera: got 2 views; expected one"), (None, "camera: got None")],
    ),
    "save_png": (
        lambda pixels: pictures.save_png("a.png", pixels),
        [
            (PIXELS / 255, "got float64"),
            (
                PIXELS.transpose(2, 0, 1),
                r"got uint8 \[3, 64, 64\]; expected pixels uint8 \[h, w",
            ),
            (PIXELS[:0], r"got uint8 \[0, 64, 3\]"),
            (IMAGE, "type Tensor"),
        ],
    ),
    "mesh resolution": (
        lambda resolution: mesh.portrait_mesh(BALL, resolution=resolution),
        [(8, "resolution: got 8"), (16.5, "resolution: got 16.5"), (10**4, "got 10000")],
    ),
    "mesh level": (
        lambda level: mesh.portrait_mesh(BALL, resolution=16, level=level),
        [(float("nan"), "mesh level: got nan"), (float("-inf"), "got -inf"), ("0", "got '0'")],
    ),
    "save_mesh": (
        lambda path: mesh.save_mesh(path, MESH),
        [("a.fbx", "got '.fbx'"), ("", "''")],
    ),
    "picture_sheet": (
        sheets.picture_sheet,
        [
            ([], "at least one"),
            ([[]], "at least one"),
            ([[PIXELS / 1.0]], "got float64"),
            ("", "''"),
        ],
    ),
    "sheet cell": (
        lambda cell: sheets.picture_sheet([[PIXELS]], cell=cell),
        [(0, "cell: got 0"), (-1, "cell: got -1"), (10**7, "cell: got 10000000")],
    ),
    "image rows": (
        lambda rows: sheets.save_image_rows("a.png", rows, ["a"]),
        [([[IMAGE.byte()]], "got torch.uint8"), ([IMAGE], "each a sequence"), (None, "got None")],
    ),
    "orbit": (
        cameras.orbit,
        [(0, "cameras: got 0"), (-1, "got -1"), (10**12, "got 100000")],
    ),
    "grid_of_views": (
        lambda num: cameras.grid_of_views(num, 2),
        [(0, "yaws: got 0"), (2.0, "2.")],
    ),
    "look_at_camera": (
        lambda yaw: cameras.look_at_camera(yaw, 0.0),
        [("0.1", "yaw: got '0.1'"), (float("nan"), "got nan"), ([], "no numbers"), (None, "None")],
    ),
    "stack": (Camera.stack, [([], "cameras: got none"), ([7], "expected a sequence, each Camera")]),
    "project": (CAMERA.project, [(POINTS, r"points: got \[1, 3\]; expected \[v, n, 3\]")]),
    "int camera": (
        lambda poses: Camera(poses, CAMERA.intrinsics),
        [(CAMERA.cam2world.int(), "cam2world: got torch.int32; expected floats")],
    ),
    "camera_at": (
        lambda position: cameras.camera_at(position, (0.0, 0.0, 0.0), 4.0),
        [
            (torch.zeros(3), r"got torch.float32 \[3\]"),
            (torch.zeros(1, 3), "nor stand at its"),
        ],
    ),
    "fov": (cameras.focal_from_fov_deg, [(0, "field of view: got 0"), (400, "got 400")]),
    "invert target": (
        lambda target: INVERT.invert(target),
        [(head_of(GENERATOR), "target: got a value of type Tensor; expected InversionTarget")],
    ),
    "edit": (
        lambda changes: EditRequest("blue", **changes),
        [
            ({"seed": 7.0}, "seed: got 7.0; expected a whole number"),
            ({"seed": "7"}, "seed: got '7'"),
            ({"num_steps": 2.0}, "num_steps: got 2"),
            ({"noise_level": "high"}, "noise_level: got 'high'"),
            ({"negative_prompt": 7}, "negative_prompt: got 7"),
        ],
    ),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """An empty working folder with a portrait."""
    monkeypatch.chdir(tmp_path)
    PORTRAIT.save("portrait.safetensors")
    pictures.save_png("a.png", PIXELS)


def refused(call: Callable[[], Any]) -> str:
    """Return what a person reads whose call is refused; nothing is written."""
    before = sorted(os.listdir())
    with pytest.raises(UserError) as caught:
        call()
    assert sorted(os.listdir()) == before
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize("name", CALLS)
def test_the_right_call_is_taken(name):
    function, arguments = CALLS[name]
    function(**arguments)


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name in CALLS for argument in CALLS[name][1]]
)
def test_what_fits_no_argument_is_refused_by_name(name, argument):
    function, arguments = CALLS[name]
    named = "picture" if name == "as_photo" else argument
    for wrong in (object(), 7j, {"a": 1} if argument not in ("provenance", "hashes") else set()):
        said = refused(lambda wrong=wrong: function(**{**arguments, argument: wrong}))
        assert said.startswith(f"{named}: got ")
        assert "; expected " in said


MISTAKES = [(name, *mistake) for name, (_, mistakes) in MISUSED.items() for mistake in mistakes]


@pytest.mark.parametrize(
    ("name", "wrong", "said"), MISTAKES, ids=[f"{name}-{said}" for name, _, said in MISTAKES]
)
def test_what_nearly_fits_is_refused_with_what_was_expected(name, wrong, said):
    assert re.search(said, refused(lambda: MISUSED[name][0](wrong)))
