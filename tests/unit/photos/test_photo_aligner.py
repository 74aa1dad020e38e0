"""Choosing detectors and faces, and refusing faces that cannot be used."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from triptych.camera import look_at_camera
from triptych.errors import MissingDependency, UserError
from triptych.framing import AVATAR_FRAMING, EG3D_FRAMING
from triptych.photos.aligner import AlignmentLimits, PhotoAligner
from triptych.photos.detectors.face import Face
from triptych.photos.photo import is_on_plain_background

PHOTO = np.full((300, 400, 3), 90, np.uint8)
AVATAR = np.full((300, 400, 3), 191, np.uint8)


def face_at(x=200.0, y=150.0, *, width=120.0, yaw=0.0, pitch=0.0) -> Face:
    """A face of a width, seen from an angle, with its landmarks on a ring."""
    rotation = look_at_camera(yaw, pitch, target=(0.0, 0.0, 0.0)).cam2world[0, :3, :3]
    angles = np.linspace(0, 2 * math.pi, 20, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centre = np.array([x, y])
    return Face(
        landmarks=centre + width / 2 * ring,
        five=centre + width / 5 * np.array([[-1, -1], [1, -1], [0, 0], [-0.8, 1], [0.8, 1]]),
        anchor=centre,
        unit=width / 0.31,
        rotation=rotation.double().numpy().T,
        detector="fake",
        score=0.9,
        pairs=np.arange(20),
        is_photograph=False,
    )


class Finder:
    """Finds what it was told to, and counts how often it was asked."""

    def __init__(self, name, *faces):
        self.name, self.asked = name, 0
        self._faces = [replace(face, detector=name) for face in faces]

    def find(self, pixels):
        self.asked += 1
        return self._faces


def aligner(mediapipe=(), avatar=(), **options):
    """An aligner with fake detectors; None stands for one that is not installed."""

    def not_installed():
        raise MissingDependency("mediapipe is not here")

    finders = {"mediapipe": not_installed} if mediapipe is None else {}
    made = {
        "mediapipe": Finder("mediapipe", *(mediapipe or ())),
        "avatar": Finder("avatar", *avatar),
    }
    for name, finder in made.items():
        finders.setdefault(name, lambda finder=finder: finder)
    return PhotoAligner(finders=finders, **options), made


def test_photographs_go_to_mediapipe_and_avatars_to_the_avatar_network():
    both = dict(mediapipe=[face_at()], avatar=[face_at()])
    assert aligner(**both)[0](PHOTO).detector == "mediapipe"
    assert aligner(**both)[0](AVATAR).detector == "avatar"


@pytest.mark.parametrize(("image", "found_by"), [(PHOTO, "avatar"), (AVATAR, "mediapipe")])
def test_where_one_finds_nothing_the_other_looks(image, found_by):
    align, _ = aligner(**{found_by: [face_at()]})
    assert align(image).detector == found_by


def test_one_detector_alone():
    align, made = aligner(mediapipe=[], avatar=[face_at()], detector="mediapipe")
    with pytest.raises(UserError, match="no face found in the picture"):
        align(PHOTO)
    assert made["avatar"].asked == 0


def test_an_unknown_detector():
    with pytest.raises(UserError, match="got 'dlib'; expected one of auto, mediapipe, avatar"):
        PhotoAligner(detector="dlib")


def test_without_mediapipe_the_avatar_network_looks_and_says_so():
    align, _ = aligner(mediapipe=None, avatar=[face_at()])
    aligned = align(PHOTO)
    assert aligned.detector == "avatar"
    assert "pip install 'triptych[photo]'" in " ".join(aligned.notes)
    assert align(AVATAR).notes == ()  # nothing is missed there


def test_without_mediapipe_and_without_a_face():
    align, _ = aligner(mediapipe=None)
    with pytest.raises(UserError, match="no face found.*pip install 'triptych\\[photo\\]'"):
        align(PHOTO)
    with pytest.raises(MissingDependency):
        aligner(mediapipe=None, detector="mediapipe")[0](PHOTO)


def test_detectors_are_made_once():
    made = []

    def make():
        made.append(1)
        return Finder("mediapipe", face_at())

    align = PhotoAligner(finders={"mediapipe": make, "avatar": make})
    assert made == []
    align(PHOTO)
    align(PHOTO)
    assert made == [1]


def test_of_several_faces_the_first_is_used_with_a_note():
    faces = [face_at(150.0), face_at(300.0, width=60.0)]
    align, _ = aligner(mediapipe=faces)
    first, second = align(PHOTO), align(PHOTO, face=2)
    assert first.face.anchor[0] == 150.0
    assert first.notes[0] == "2 faces: the largest is used; --face 2 takes the next"
    assert second.face.anchor[0] == 300.0
    assert not any("largest" in note for note in second.notes)
    with pytest.raises(UserError, match="shows 2 faces; got face 3; expected 1 to 2"):
        align(PHOTO, face=3)


@pytest.mark.parametrize(
    ("face", "said"),
    [
        (face_at(width=20.0), "is 20 pixels wide; expected at least 32"),
        (face_at(yaw=1.2), "turned 69 degrees to the side; expected at most 60"),
        (face_at(yaw=-1.2), "turned 69 degrees to the side"),
        (face_at(pitch=0.9), "turned 52 degrees up or down; expected at most 45"),
        (face_at(x=1.0), "cut off by the edge of the picture: 45% of it is missing"),
    ],
)
def test_faces_that_cannot_be_used(face, said):
    align, _ = aligner(mediapipe=[face])
    with pytest.raises(UserError, match=said) as refused:
        align(PHOTO)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("face", "note"),
    [
        (face_at(width=60.0), "60 pixels wide: the crop will be soft"),
        (face_at(yaw=0.8), "turned 46 degrees to the side: the camera is less certain"),
    ],
)
def test_faces_that_are_remarked_upon(face, note):
    align, _ = aligner(mediapipe=[face])
    assert any(note in said for said in align(PHOTO).notes)


def test_limits_can_be_moved():
    align, _ = aligner(mediapipe=[face_at(width=20.0)], limits=AlignmentLimits(smallest_face=10))
    assert align(PHOTO).image.shape == (1, 3, 512, 512)


@pytest.mark.parametrize("framing", [AVATAR_FRAMING, EG3D_FRAMING])
def test_crops_have_the_size_and_the_camera_of_the_framing(framing):
    align, _ = aligner(mediapipe=[face_at()], framing=framing, size=96)
    aligned = align(PHOTO)
    assert aligned.image.shape == (1, 3, 96, 96)
    assert len(aligned.camera) == 1
    assert float(aligned.camera.positions[0].norm()) == pytest.approx(2.7, abs=1e-4)
    assert aligned.camera.label25().shape == (1, 25)


def test_plain_backgrounds():
    assert is_on_plain_background(AVATAR)
    assert not is_on_plain_background(PHOTO)
    bust = AVATAR.copy()
    bust[100:, 50:350] = 60  # shoulders reach the lower edge
    assert is_on_plain_background(bust)
    noisy = AVATAR + np.random.default_rng(0).integers(0, 30, AVATAR.shape, dtype=np.uint8)
    assert not is_on_plain_background(noisy)


def test_where_mediapipe_found_nothing_an_unsure_network_is_not_believed():
    unsure = replace(face_at(), score=0.4)
    align, _ = aligner(avatar=[unsure])
    with pytest.raises(UserError, match="no face found"):
        align(PHOTO)
    assert aligner(mediapipe=None, avatar=[unsure])[0](PHOTO).detector == "avatar"
    assert align(AVATAR).detector == "avatar"
