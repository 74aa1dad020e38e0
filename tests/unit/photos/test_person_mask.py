"""People in photographs, found by mediapipe."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from triptych.errors import MissingDependency
from triptych.ops.colour import from_uint8
from triptych.photos.detectors.person_mask import PersonMask

INSTALLED = find_spec("mediapipe") is not None
needs_mediapipe = pytest.mark.skipif(
    not INSTALLED, reason="mediapipe is not installed (extra [photo])"
)


@needs_mediapipe
def test_the_face_is_a_person_and_the_flag_is_not(capfd):
    from skimage.data import astronaut

    picture = from_uint8(torch.from_numpy(astronaut()[None]))
    mask = PersonMask()(picture)
    assert mask.shape == (1, 1, 512, 512)
    assert float(mask[0, 0, 80:150, 190:250].mean()) > 0.9  # face
    assert float(mask[0, 0, :60, :60].mean()) < 0.1  # flag
    assert capfd.readouterr().err == ""


@pytest.mark.thorough
@needs_mediapipe
def test_loading_it_writes_nothing_to_the_terminal():
    """The network's own threads write late, so a whole process is watched."""
    words = (
        "import time; from triptych.photos.detectors.person_mask import PersonMask; "
        "PersonMask(); time.sleep(1)"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@needs_mediapipe
def test_nobody_is_there():
    assert PersonMask()(torch.full((1, 3, 128, 128), -1.0)) is None


def test_without_mediapipe_there_is_no_mask(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    monkeypatch.setattr("triptych.photos.detectors.person_mask.find_spec", lambda name: None)
    assert PersonMask.if_installed() is None
    with pytest.raises(MissingDependency, match="photo"):
        PersonMask()
