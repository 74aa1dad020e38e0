"""What every system makes: the same for the same request, whole after a file, open to all verbs."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
import torch

import triptych
from triptych.camera import Camera, orbit
from triptych.errors import UserError
from triptych.portrait import Portrait

SIZE = 48


@pytest.mark.thorough_if_long
def test_a_request_gives_the_same_bytes_whatever_was_asked_before(system, whole, saved):
    """Seed 1 then 2 of one pipeline equals seed 2 then 1 of another: nothing is remembered."""
    forward, backward = system.make(), system.make()
    there = [system.call(forward, seed=seed) for seed in (1, 2)]
    back = [system.call(backward, seed=seed) for seed in (2, 1)]
    assert [saved(portrait) for portrait in there] == [saved(portrait) for portrait in back[::-1]]
    assert saved(there[0]) == whole.saved
    assert not torch.equal(there[0].render().image, there[1].render().image)


def test_a_loaded_portrait_has_the_same_bytes_and_pictures(whole, saved, tmp_path):
    whole.portrait.save(tmp_path / "exact.safetensors", exact=True)
    loaded = Portrait.load(tmp_path / "exact.safetensors")
    assert saved(loaded) == whole.saved
    camera = orbit(2)
    expected = whole.portrait.render(camera)
    assert torch.equal(loaded.render(camera).image, expected.image)
    assert torch.equal(loaded.render(camera).depth, expected.depth)
    whole.portrait.save(tmp_path / "half.safetensors")
    Portrait.load(tmp_path / "half.safetensors").save(tmp_path / "again.safetensors")
    files = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("half", "again")]
    assert files[0] == files[1]


def test_a_view_has_its_shapes_and_ranges(whole):
    view = whole.portrait.render(orbit(3), SIZE)
    assert view.image.shape == (3, 3, SIZE, SIZE)
    assert view.depth.shape == view.alpha.shape == (3, 1, *view.image_raw.shape[-2:])
    for pictures in (view.image, view.image_raw, view.depth, view.alpha):
        assert pictures.dtype == torch.float32
        assert bool(pictures.isfinite().all())
    assert float(view.image.abs().max()) <= 1.1
    assert float(view.alpha.min()) >= 0
    assert float(view.alpha.max()) <= 1 + 1e-5
    assert float(view.alpha.max()) > 0.5, "nothing is seen"
    assert float(view.depth.min()) > 0


def test_provenance_is_complete_and_json(system, whole):
    provenance = whole.portrait.provenance
    assert json.loads(json.dumps(provenance)) == provenance
    assert provenance["pipeline"] == system.name
    assert provenance["triptych"] == triptych.__version__
    assert provenance["torch"] == torch.__version__
    assert provenance["model_hashes"], "toy pipelines are given hashes"
    assert {key: provenance.get(key) for key in system.recorded} == system.recorded
    for settings in system.settings[:1]:
        assert provenance["settings"].keys() == {field.name for field in fields(settings)}


@pytest.mark.thorough_if_long
def test_every_verb_opens_the_portrait(run, portrait_file, tmp_path):
    pictures = ("--depth", "--normals", "--size", SIZE)
    shown = run("render", portrait_file, "--out", "front.png", *pictures)
    assert shown.code == 0, shown.err
    small = ("--resolution", 24, "--texture", 64, "--frames", 2, "--size", 32)
    exported = run("export", portrait_file, "--mesh", "a.glb", "--video", "a.mp4", *small)
    assert exported.code == 0, exported.err
    made = {"front.png", "front-depth.png", "front-normals.png", "a.glb", "a.mp4"}
    assert {file.name for file in tmp_path.iterdir()} == made


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"camera": Camera(torch.zeros(0, 4, 4), torch.zeros(0, 3, 3))}, "camera: got no views"),
        ({"camera": torch.eye(4)}, "camera: got a value of type Tensor; expected Camera"),
        ({"size": 15}, "picture size: got 15; expected a whole number from 16 to 2048"),
        ({"size": 32.0}, "size: got 32"),
        ({"size": "32"}, "size: got '32'"),
        ({"size": True}, "size: got True"),
        ({"supersampling": 0}, "supersampling: got 0"),
        ({"supersampling": 1.5}, "supersampling: got 1.5"),
        ({"path": "quick"}, "path: got 'quick'; expected one of"),
    ],
)
def test_looks_of_no_use_are_refused(whole, wrong, said):
    with pytest.raises(UserError, match=said):
        whole.portrait.render(**wrong)
