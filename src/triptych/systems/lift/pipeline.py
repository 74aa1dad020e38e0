"""A photo to a likeness: an avatar warped to the photo, coloured by it, planes fitted to that."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera
from triptych.config import to_dict
from triptych.errors import UserError, check_type, check_whole
from triptych.metrics.image_metrics import psnr_from_mse
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.feature_network import AvatarFeatures
from triptych.ops.placement import device_of, move
from triptych.ops.precision import check_network_dtype
from triptych.photos.aligned_photo import check_aligned, frame_face
from triptych.photos.aligner import Detector, PhotoAligner, UnusableFace
from triptych.photos.matting import HeadMatting
from triptych.photos.photo import Photo, as_photo
from triptych.portrait import TriPlanePortrait
from triptych.portrait.provenance import provenance_of
from triptych.progress import Progress, count_steps, no_progress
from triptych.systems.lift.avatar import AvatarSearch, num_trials
from triptych.systems.lift.colours import colours_of
from triptych.systems.lift.fitting import fit_portrait
from triptych.systems.lift.kept_portraits import KeptPortraits
from triptych.systems.lift.landmarks import LandmarkFinder, find_landmarks
from triptych.systems.lift.likeness import ConfidenceMap, Lifted
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.settings import LiftSettings
from triptych.systems.lift.shape import shape_of
from triptych.systems.lift.silhouette import Mask, inside_photo
from triptych.systems.lift.style_picture import restyled
from triptych.weights import load_features, load_generator
from triptych.weights.safetensors_file import content_hash

__all__ = ["LiftPipeline", "LiftSettings", "Lifted"]

CROP_SIZE = 512
MOST_FACES = 100
LARGEST_YAW, LARGE_YAW = math.radians(35), math.radians(15)
AVATAR, SHAPE, COLOURS = "finding an avatar", "shaping", "colouring"


class LiftPipeline:
    """Makes a likeness of the person in a photo, without networks trained on faces.

    Args:
        generator: Makes avatars; frozen.
        network: Reads regions and attributes.
        align: Crops a photo and finds its camera.
        matting: Tells the person from the background.
        landmarks: Finds the same landmarks in photos and renders.
        name: Goes into records.
        hashes: Hash of each model's file by name, for records.

    Raises:
        UserError: The generator makes no avatars.
    """

    def __init__(
        self,
        generator: TriPlaneGenerator,
        network: AvatarFeatures,
        align: PhotoAligner,
        matting: HeadMatting,
        *,
        landmarks: LandmarkFinder,
        name: str = "unnamed",
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        self.generator = generator.eval().requires_grad_(False)
        self.network = network.eval().requires_grad_(False)
        self.align, self.matting = align, matting
        self.landmarks = landmarks
        self.name, self.hashes = name, dict(hashes or {})
        self._find_avatar = AvatarSearch(self.generator, self.network)
        generator.config.rendering.fixed_limits("lifting a photo")

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path = "avatar",
        *,
        detector: Detector = "auto",
        hashes: Mapping[str, str] | None = None,
        device: torch.device | str = "cpu",
    ) -> LiftPipeline:
        """Assemble the pipeline from embedded models.

        Args:
            model: "avatar" for the embedded generator of avatars, another such one's name, or a
                file.
            detector: What searches for faces.
            hashes: For records.
            device: Where networks and the fit compute; the shape is made on the CPU.

        Raises:
            UserError: A model is missing or broken, or makes no avatars.
        """
        generator = load_generator("avatar-generator" if model == "avatar" else model)
        framing = generator.config.photo_framing()
        pipeline = cls(
            generator,
            load_features(),
            PhotoAligner(framing, detector=detector, size=CROP_SIZE),
            HeadMatting.for_framing(framing, detector),
            landmarks=find_landmarks(detector),
            name=str(model),
            hashes=hashes,
        )
        return pipeline.to(device)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> LiftPipeline:
        """Let networks and the fit compute on a device, and return self; its portraits are there.

        Args:
            device: Where to.
            dtype: Accepted as every pipeline does; all of this one is float32.

        Raises:
            UserError: The dtype is one that no network here computes in.
        """
        if dtype is not None:
            check_network_dtype(dtype)
        for part in (self.generator, self.network, self.align, self.matting, self.landmarks):
            move(part, device)
        return self

    def __call__(
        self,
        picture: Any,
        *,
        camera: Camera | None = None,
        style_picture: Any = None,
        face: int = 1,
        anyway: bool = False,
        settings: LiftSettings | None = None,
        work_dir: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Lifted:
        """Lift a photo, or a picture that is aligned already.

        Args:
            picture: With a camera: an aligned picture [1, 3, h, h] in [-1, 1]; without: a photo,
                anything that `photos.photo.as_photo` takes.
            camera: The camera of an aligned picture.
            style_picture: The same photo (with a camera: the same aligned picture) edited by any
                program: the likeness keeps the photo's shape and takes the edit's colours.
            face: Which face of a photo: 1 is the largest.
            anyway: Try faces that are turned farther than 35 degrees too.
            settings: Steps and rates.
            work_dir: Keeps the avatar and the fitted planes of this request, for a run that was
                stopped to go on from; nothing is kept when None.
            progress: Called with (stage, done, total).

        Raises:
            UserError: The picture cannot be used.
        """
        settings = LiftSettings() if settings is None else settings
        check_type("settings", settings, LiftSettings)
        check_type("anyway", anyway, bool)
        check_whole("face", face, 1, MOST_FACES)
        if camera is not None:
            check_type("camera", camera, Camera)
            check_type("aligned picture", picture, Tensor)
            if style_picture is not None:
                check_type("aligned style picture", style_picture, Tensor)
            return self.lift(
                picture,
                camera,
                style_picture=style_picture,
                anyway=anyway,
                settings=settings,
                work_dir=work_dir,
                progress=progress,
            )
        started = time.monotonic()
        photo = as_photo(picture)
        edit = None if style_picture is None else _same_size(as_photo(style_picture), photo)
        aligned = self.align(photo, face=face)
        edited: Tensor | None = None
        if edit is not None:
            # Cut as the photo is: a face that was drawn over may not be found again.
            size, framing = aligned.image.shape[-1], self.align.framing
            edited = frame_face(edit.pixels, aligned.face, framing, size).image
        height, width = photo.pixels.shape[:2]
        inside = inside_photo(aligned.window, width, height, aligned.image.shape[-1])
        seconds = round(time.monotonic() - started, 2)
        lifted = self.lift(
            aligned.image,
            aligned.camera,
            style_picture=edited,
            inside=inside,
            anyway=anyway,
            settings=settings,
            work_dir=work_dir,
            progress=progress,
        )
        lifted.report["seconds"] = {"align": seconds, **lifted.report["seconds"]}
        return dataclasses.replace(lifted, photo=aligned, notes=(*aligned.notes, *lifted.notes))

    @torch.no_grad()
    def lift(
        self,
        image: Tensor,
        camera: Camera,
        *,
        style_picture: Tensor | None = None,
        inside: Mask | None = None,
        anyway: bool = False,
        settings: LiftSettings | None = None,
        avatar: TriPlanePortrait | None = None,
        work_dir: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Lifted:
        """Lift an aligned picture.

        Args:
            image: Square picture [1, 3, s, s] in [-1, 1].
            camera: Its camera, one view.
            style_picture: The same picture edited [1, 3, s, s] in [-1, 1].
            inside: Pixels that show the photo [s, s]; all by default.
            anyway: Try faces that are turned farther than 35 degrees too.
            settings: Steps and rates.
            avatar: The avatar that an earlier lift of the same picture found; searched when None.
            work_dir: Keeps the avatar and the fitted planes of this request, for a run that was
                stopped to go on from; nothing is kept when None.
            progress: Called with (stage, done, total).

        Raises:
            UserError: The picture cannot be used.
        """
        settings, progress = settings or LiftSettings(), progress or no_progress
        check_aligned(image, camera)
        if style_picture is not None:
            check_aligned(style_picture, camera)
        notes = _notes_on_turn(camera, anyway=anyway) + self.landmarks.notes
        clock = _Clock()
        device = device_of(self.generator)
        request: dict[str, Any] = {
            "model": self.name,
            "model_hashes": self.hashes,
            "settings": to_dict(settings),
            "camera": [round(float(number), 6) for number in camera.label25()[0]],
        }
        with clock("measure"):
            foreground = self.matting.head(image.to(device))
            photo = Photograph.measured(image, camera, foreground, self.landmarks, inside)
            person = photo.person_over(self.generator.config.rendering.background).to(device)
        notes += photo.notes
        painted = photo
        if style_picture is not None:
            request["style_picture"] = content_hash({"pixels": style_picture})
            foreground = self.matting.head(style_picture.to(device))
            painted, more = restyled(photo, style_picture, foreground, self.landmarks)
            notes += more
        kept = KeptPortraits(work_dir, photo, request)
        with clock("avatar"):
            if avatar is None:
                avatar = kept("avatar", lambda: self._avatar(photo, person, settings, progress))
            avatar = avatar.to(device)
        with clock("shape"), _one_step(progress, SHAPE):
            shape = shape_of(
                photo,
                person,
                avatar,
                self.landmarks,
                self.network,
                settings.grid,
                warp=settings.warp,
            )
        with clock("colours"), _one_step(progress, COLOURS):
            colours = colours_of(shape, painted, person, self.network)
        with clock("fit"):
            portrait = kept("fitted", lambda: fit_portrait(shape, colours, settings, progress))
            portrait = portrait.to(device)
        if not shape.outline_fits:
            notes += (
                f"the head matches the person's outline by {shape.overlap:.0%} only: the "
                "outline is the avatar's",
            )
        report = {
            **request,
            "psnr": round(psnr_of_person(portrait, painted), 2),
            "overlap": round(shape.overlap, 4),
            "outline": {
                "matched": round(shape.match.share, 4),
                "residual_pixels": round(shape.match.residual, 2),
            },
            "share_seen": round(colours.share_seen, 4),
            "seconds": clock.seconds,
        }
        provenance = provenance_of("lift", **request)
        portrait = dataclasses.replace(portrait, provenance=provenance)
        confidence = ConfidenceMap(colours)
        return Lifted(portrait, avatar, confidence, report, painted.image, None, notes)

    def _avatar(
        self, photo: Photograph, person: Tensor, settings: LiftSettings, progress: Progress
    ) -> TriPlanePortrait:
        step = count_steps(progress, AVATAR, num_trials(settings.trials))
        return self._find_avatar(person, photo, self.landmarks, settings.trials, step)


def psnr_of_person(portrait: TriPlanePortrait, photo: Photograph) -> float:
    """Return the signal-to-noise ratio in dB of a portrait to the person's pixels in a photo."""
    size = portrait.image_size
    pred = portrait.render(photo.camera).image.clamp(-1, 1).cpu()
    true = _area(photo.image, size)
    person = torch.from_numpy(photo.person & photo.inside)[None, None].float()
    weight = (_area(person, size) > 0.5).float()
    error = ((pred - true).square() * weight).sum() / (3 * weight.sum().clamp(min=1))
    return float(psnr_from_mse(error))


def _notes_on_turn(camera: Camera, *, anyway: bool) -> tuple[str, ...]:
    """Return notes on how far a face is turned.

    Raises:
        UnusableFace: It is turned too far.
    """
    yaw = abs(float(camera.yaw))
    degrees = math.degrees(yaw)
    if yaw > LARGEST_YAW and not anyway:
        raise UnusableFace(
            "turned to the side",
            f"the face is turned {degrees:.0f} degrees to the side; a likeness needs at most "
            f"{math.degrees(LARGEST_YAW):.0f}; use another photo, or add --anyway to try",
        )
    if yaw > LARGE_YAW:
        return (f"turned {degrees:.0f} degrees to the side: the hidden side is guessed",)
    return ()


def _same_size(edited: Photo, photo: Photo) -> Photo:
    """Return an edit of a photo.

    Raises:
        UserError: The two have not the same size.
    """
    (height, width), (expected_height, expected_width) = (
        picture.pixels.shape[:2] for picture in (edited, photo)
    )
    if (height, width) != (expected_height, expected_width):
        raise UserError(
            f"style picture: {edited.name} has {width} x {height} pixels, {photo.name} "
            f"{expected_width} x {expected_height}; expected the same photo, edited; resize it to "
            "the photo's size if it is"
        )
    return edited


def _area(image: Tensor, size: int) -> Tensor:
    return functional.interpolate(image, size=(size, size), mode="area")


class _Clock:
    """Measures named parts of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)


@contextmanager
def _one_step(progress: Progress, stage: str) -> Iterator[None]:
    progress(stage, 0, 1)
    yield
    progress(stage, 1, 1)
