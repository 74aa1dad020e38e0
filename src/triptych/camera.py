"""Pinhole cameras: extrinsics as camera-to-world matrices, normalised intrinsics.

Cameras follow OpenCV: x right, y down, z forward; `cam2world` maps camera points to world points.
The world has y up, the face looks along +z, and the frontal camera is at (0, 0, 2.7) looking
along -z. Intrinsics are normalised by the image size (focal 4.2647, centre 0.5). EG3D's 25-number
labels appear only at interfaces, in `label25` and `from_label25`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.errors import UserError, check_range, check_type, check_whole

RADIUS = 2.7
TARGET = (0.0, 0.0, 0.2)
FOCAL = 4.2647
_STEEPEST_PITCH = math.radians(89.0)
_LENGTHS = (1e-3, 1e6)  # of a radius, in world units, and of a focal length, in image widths
_MOST_CAMERAS = 100_000
_LEAST_TILT = 1e-6  # sine of the angle between a view and the vertical

Angle: TypeAlias = float | Sequence[float] | Tensor


@dataclass(frozen=True, eq=False)
class Camera:
    """A batch of pinhole cameras.

    Attributes:
        cam2world: Camera-to-world matrices [v, 4, 4], OpenCV axes, finite.
        intrinsics: Intrinsics [v, 3, 3], in units of the image size; finite, focal lengths above 0.
    """

    cam2world: Tensor
    intrinsics: Tensor

    def __post_init__(self) -> None:
        check_type("cam2world", self.cam2world, Tensor)
        check_type("intrinsics", self.intrinsics, Tensor)
        views = self.cam2world.shape[0] if self.cam2world.ndim == 3 else -1
        if self.cam2world.shape[1:] != (4, 4) or self.intrinsics.shape != (views, 3, 3):
            raise UserError(
                f"camera has the wrong shape: got cam2world {list(self.cam2world.shape)} and "
                f"intrinsics {list(self.intrinsics.shape)}; expected [v, 4, 4] and [v, 3, 3]"
            )
        for name, tensor in (("cam2world", self.cam2world), ("intrinsics", self.intrinsics)):
            if not tensor.is_floating_point():
                raise UserError(f"{name}: got {tensor.dtype}; expected floats")
        if _holds_numbers(self.cam2world) and _holds_numbers(self.intrinsics):
            self._check_numbers()

    def _check_numbers(self) -> None:
        poses, intrinsics = self.cam2world.detach(), self.intrinsics.detach()
        focal = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], dim=1)
        # Zero times a number is zero, but for infinity and not-a-number.
        sane = ((poses * 0).sum(dim=(1, 2)) == 0) & ((intrinsics * 0).sum(dim=(1, 2)) == 0)
        sane = sane & (focal > 0).all(dim=1)
        if not bool(sane.all()):  # one question, so that a GPU is waited for once
            view = int(sane.int().argmin())
            raise UserError(
                f"camera {view} of {len(self)} cannot be used: got the position "
                f"{_shown(poses[view, :3, 3])} and the focal lengths {_shown(focal[view])}; "
                "expected finite numbers in both matrices and focal lengths above 0"
            )

    def __len__(self) -> int:
        return int(self.cam2world.shape[0])

    def __getitem__(self, index: int | slice | Tensor) -> Camera:
        """Select views; an integer gives a camera of one view."""
        if isinstance(index, int):
            index = range(len(self))[index]  # raises IndexError, and so ends iteration
            index = slice(index, index + 1)
        return Camera(self.cam2world[index], self.intrinsics[index])

    @property
    def positions(self) -> Tensor:
        """Camera centres in the world [v, 3]."""
        return self.cam2world[:, :3, 3]

    @property
    def forward(self) -> Tensor:
        """Unit viewing directions in the world [v, 3]."""
        return self.cam2world[:, :3, 2]

    @property
    def yaw(self) -> Tensor:
        """Angle of the position around the vertical axis [v]; positive towards +x."""
        position = self.positions
        return torch.atan2(position[:, 0], position[:, 2])

    @property
    def pitch(self) -> Tensor:
        """Elevation of the position above the horizontal plane [v]."""
        position = self.positions
        return torch.asin(position[:, 1] / position.norm(dim=1))

    @checked
    def to(self, device: torch.device | str) -> Camera:
        """Return the cameras on another device."""
        return Camera(self.cam2world.to(device), self.intrinsics.to(device))

    def mirrored(self) -> Camera:
        """Return the cameras of the left-right flipped images of a world flipped likewise.

        The flip negates x in the world and in the image; a centred principal point stays.
        """
        flip = torch.tensor([-1.0, 1.0, 1.0, 1.0]).to(self.cam2world)
        intrinsics = self.intrinsics.clone()
        intrinsics[:, 0, 1] = -intrinsics[:, 0, 1]
        intrinsics[:, 0, 2] = 1 - intrinsics[:, 0, 2]
        return Camera(flip[:, None] * self.cam2world * flip, intrinsics)

    @checked
    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Project world points into the images.

        Args:
            points: World points [v, n, 3].

        Returns:
            Image positions [v, n, 2], x then y, in [0, 1] inside the image, and the depth along
            the camera's axis [v, n]; points behind a camera have a negative depth.
        """
        if points.ndim != 3 or points.shape[2] != 3 or len(points) != len(self):
            raise UserError(
                f"points: got {list(points.shape)}; expected [v, n, 3] for {len(self)} cameras"
            )
        local = (points - self.positions[:, None]) @ self.cam2world[:, :3, :3]
        depth = local[..., 2]
        homogeneous = local @ self.intrinsics.transpose(1, 2)
        return homogeneous[..., :2] / depth.abs().clamp(min=1e-6)[..., None], depth

    def label25(self) -> Tensor:
        """Return EG3D labels [v, 25]: cam2world, then intrinsics, both row-major."""
        return torch.cat([self.cam2world.flatten(1), self.intrinsics.flatten(1)], dim=1)

    @classmethod
    @checked
    def from_label25(cls, label: Tensor) -> Camera:
        """Read EG3D labels [v, 25].

        Raises:
            UserError: The tensor does not hold 25 numbers per view.
        """
        if label.ndim != 2 or label.shape[1] != 25:
            raise UserError(
                f"camera label has the wrong shape: got {list(label.shape)}; expected [v, 25]: "
                "16 numbers cam2world row by row, then 9 numbers intrinsics"
            )
        return cls(label[:, :16].reshape(-1, 4, 4), label[:, 16:].reshape(-1, 3, 3))

    @classmethod
    def from_json(cls, label: Any, name: str) -> Camera:
        """Read one EG3D label as JSON files hold it: a list of 25 numbers.

        Args:
            label: What the file holds.
            name: What errors call it.

        Raises:
            UserError: It is something else, or no camera.
        """
        try:
            return cls.from_label25(torch.tensor([[float(number) for number in label]]))
        except (TypeError, ValueError, OverflowError) as error:
            said = error if isinstance(error, UserError) else "expected 25 numbers"
            raise UserError(f"{name}: {said}") from error

    @classmethod
    @checked
    def with_focal(cls, cam2world: Tensor, focal: float = FOCAL) -> Camera:
        """Return cameras at poses [v, 4, 4] with a centred principal point.

        Args:
            cam2world: Camera-to-world matrices.
            focal: Focal length in image widths.
        """
        check_range("camera focal length", focal, *_LENGTHS)
        return cls(
            cam2world,
            _centred_intrinsics(focal, cam2world.device).expand(*cam2world.shape[:1], 3, 3),
        )

    @classmethod
    @checked
    def stack(cls, cameras: Sequence[Camera]) -> Camera:
        """Join several camera batches into one, in order; at least one."""
        if not cameras:
            raise UserError("cameras: got none to join; expected at least one")
        return cls(
            torch.cat([camera.cam2world for camera in cameras]),
            torch.cat([camera.intrinsics for camera in cameras]),
        )


@checked
def look_at_camera(
    yaw: Angle,
    pitch: Angle,
    radius: float = RADIUS,
    target: Sequence[float] = TARGET,
    focal: float = FOCAL,
) -> Camera:
    """Place cameras on a sphere around the world origin, looking at a target.

    Args:
        yaw: Radians, a number or [v]; positive moves the camera to +x.
        pitch: Radians, a number or [v], within +-89 degrees; positive moves the camera up.
        radius: Distance of the camera from the world origin (not from the target, as in EG3D).
        target: World point that projects to the image centre.
        focal: Focal length in image widths.

    Returns:
        One camera per angle pair; yaw and pitch broadcast against each other.

    Raises:
        UserError: A number is not finite, pitch, radius or focal length is out of range, or the
            target is where the camera is or straight above or below it.
    """
    yaws, pitches = _angle_pairs(yaw, pitch)
    check_range("camera radius", radius, *_LENGTHS)
    steepest = float(pitches.abs().max())
    if not steepest <= _STEEPEST_PITCH:
        raise UserError(
            f"camera pitch is out of range: got {math.degrees(steepest):.1f} degrees; "
            "expected -89 to 89"
        )
    direction = torch.stack(
        [yaws.sin() * pitches.cos(), pitches.sin(), yaws.cos() * pitches.cos()], dim=1
    )
    return camera_at(radius * direction, target, focal)


@checked
def eg3d_look_at(
    horizontal: Angle,
    vertical: Angle,
    radius: float = RADIUS,
    target: Sequence[float] = TARGET,
    focal: float = FOCAL,
) -> Camera:
    """Place cameras with EG3D's two numbers; pi/2, pi/2 is frontal.

    The horizontal number grows as the camera moves to +x. The vertical one shrinks as the camera
    moves up and is not an angle: it is uniform in height, so an offset of 0.2 from pi/2 lifts the
    camera by asin(2 * 0.2 / pi), 7.3 degrees.
    """
    turns, drops = _angle_pairs(horizontal, vertical)
    check_range("camera radius", radius, *_LENGTHS)
    polar = torch.arccos(1 - 2 * drops.clamp(1e-5, math.pi - 1e-5) / math.pi)
    turn = math.pi - turns
    direction = torch.stack(
        [polar.sin() * turn.cos(), polar.cos(), polar.sin() * turn.sin()], dim=1
    )
    return camera_at(radius * direction, target, focal)


@checked
def focal_from_fov_deg(fov_deg: float) -> float:
    """Return the normalised focal length of EG3D's diagonal field of view.

    Parity: the constants 3.14159 and 1.414 are EG3D's, so 18.837 degrees gives 4.26339, close to
    but not equal to the 4.2647 of its labels.
    """
    check_range("field of view", fov_deg, 0.001, 179.0)
    return float(1 / (math.tan(fov_deg * 3.14159 / 360) * 1.414))


def frontal_camera() -> Camera:
    """Return the frontal camera."""
    return look_at_camera(0.0, 0.0)


@checked
def orbit(
    num: int,
    yaw_range: tuple[float, float] = (-math.pi / 6, math.pi / 6),
    pitch: float = 0.0,
) -> Camera:
    """Return `num` cameras with evenly spaced yaw, both ends included, at one pitch (radians)."""
    check_whole("number of cameras", num, 1, _MOST_CAMERAS)
    return look_at_camera(torch.linspace(*yaw_range, num, dtype=torch.float64), pitch)


@checked
def grid_of_views(
    num_yaw: int,
    num_pitch: int,
    yaw_range: tuple[float, float] = (-math.pi / 6, math.pi / 6),
    pitch_range: tuple[float, float] = (-math.pi / 6, math.pi / 6),
) -> Camera:
    """Return num_pitch * num_yaw cameras on a grid: yaw varies fastest, pitch goes low to high."""
    check_whole("number of yaws", num_yaw, 1, 1000)
    check_whole("number of pitches", num_pitch, 1, 1000)
    yaw = torch.linspace(*yaw_range, num_yaw, dtype=torch.float64)
    pitch = torch.linspace(*pitch_range, num_pitch, dtype=torch.float64)
    return look_at_camera(yaw.repeat(num_pitch), pitch.repeat_interleave(num_yaw))


@checked
def random_views(
    num: int,
    yaw_range: tuple[float, float],
    pitch_range: tuple[float, float],
    generator: torch.Generator,
) -> Camera:
    """Return cameras with yaw and pitch drawn uniformly from the two ranges (radians)."""
    check_whole("number of cameras", num, 1, _MOST_CAMERAS)
    uniform = torch.rand(2, num, generator=generator, dtype=torch.float64)
    yaw = yaw_range[0] + (yaw_range[1] - yaw_range[0]) * uniform[0]
    pitch = pitch_range[0] + (pitch_range[1] - pitch_range[0]) * uniform[1]
    return look_at_camera(yaw, pitch)


def _angle_pairs(one: Angle, other: Angle) -> tuple[Tensor, Tensor]:
    """Return two angles as vectors of equal length, of at least one finite number."""
    try:
        vectors = [
            torch.as_tensor(angle, dtype=torch.float64).reshape(-1) for angle in (one, other)
        ]
        ones, others = torch.broadcast_tensors(*vectors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"camera angles: expected numbers or vectors of one length; {error}"
        ) from error
    if not len(ones):
        raise UserError("camera angles: got no numbers; expected at least one")
    for angles in vectors:
        if not bool(angles.isfinite().all()):
            worst = float(angles[~angles.isfinite()][0])
            raise UserError(f"camera angles: got {worst}; expected finite numbers (radians)")
    return ones, others


@checked
def camera_at(position: Tensor, target: Sequence[float], focal: float) -> Camera:
    """Return float32 cameras at world positions [v, 3] that look at `target`, head up.

    Args:
        position: Camera centres, float64 for the precision of the axes.
        target: World point that projects to the image centre.
        focal: Focal length in image widths.

    Raises:
        UserError: A number is not finite, the focal length is not above 0, or the target is where
            a camera is or straight above or below it.
    """
    if position.ndim != 2 or position.shape[1] != 3 or not position.is_floating_point():
        raise UserError(
            f"camera positions: got {position.dtype} {list(position.shape)}; expected floats [v, 3]"
        )
    views = position.shape[0]
    if len(target) != 3:
        raise UserError(f"camera target: got {len(target)} numbers; expected 3")
    for coordinate in target:
        check_range("camera target", coordinate, -_LENGTHS[1], _LENGTHS[1])
    check_range("camera focal length", focal, *_LENGTHS)
    sight = position.new_tensor(list(target)) - position
    world_up = position.new_tensor([0.0, 1.0, 0.0]).expand(views, 3)
    sideways = torch.linalg.cross(sight, world_up).norm(dim=1)
    if bool((sideways <= _LEAST_TILT * sight.norm(dim=1)).any()):
        raise UserError(
            f"a camera cannot look straight up or down, nor stand at its target {tuple(target)}; "
            "choose another position or target"
        )
    forward = _normalised(sight)
    right = _normalised(torch.linalg.cross(forward, world_up))
    down = _normalised(torch.linalg.cross(forward, right))
    cam2world = torch.eye(4, dtype=position.dtype, device=position.device).repeat(views, 1, 1)
    cam2world[:, :3, :] = torch.stack([right, down, forward, position], dim=2)
    return Camera(
        cam2world.float(), _centred_intrinsics(focal, position.device).repeat(views, 1, 1)
    )


def _centred_intrinsics(focal: float, device: torch.device) -> Tensor:
    return torch.tensor([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]).to(device)


def _normalised(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True)


def _holds_numbers(tensor: Tensor) -> bool:
    """Say whether a tensor can be asked for its values: meta and fake ones have a shape alone."""
    return type(tensor) in (Tensor, torch.nn.Parameter) and not tensor.is_meta


def _shown(values: Tensor) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values.tolist()) + ")"
