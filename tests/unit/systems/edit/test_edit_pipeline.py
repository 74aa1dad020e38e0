"""Photos and prompts to portraits: what is kept, what is computed again, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pretended_device import pretended_device
from toy_edit import TINY_LIVE3D, pictures, tiny_network
from toy_portraits import tiny_portrait

from triptych.editors.prompt_encoder import PromptEncoder
from triptych.errors import UserError
from triptych.portrait import Portrait
from triptych.systems.edit.network import PortraitEncoder, TextPromptConfig
from triptych.systems.edit.pipeline import EditPipeline
from triptych.systems.edit.prompt import Prompt, middle_square


class Words(PromptEncoder):
    """States that depend on the words; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def prompt(self, prompt: str) -> torch.Tensor:
        self.asked.append(prompt)
        rng = torch.Generator().manual_seed(len(prompt))
        return torch.randn(1, 3, 5, generator=rng)

    def notes_for(self, prompt: str) -> list[str]:
        return ["it does not know 'wug'"] if "wug" in prompt else []


@pytest.fixture(scope="module")
def network() -> PortraitEncoder:
    config = replace(tiny_network().config, text=TextPromptConfig(width=5))
    return PortraitEncoder(config, rng=torch.Generator().manual_seed(0))


@pytest.fixture
def pipeline(network) -> EditPipeline:
    return EditPipeline(network, None, Words(), name="toy")


def planes_of(edited):
    return edited.portrait.planes


@pytest.fixture
def counted(pipeline, monkeypatch):
    """Names of the parts that the encoder computed, in order."""
    calls: list[str] = []
    encoder = pipeline._encoder("fast")
    for name in ("photo_features", "reference_tokens", "planes"):
        part = getattr(encoder, name)

        def counting(*arguments, name=name, part=part, **named):
            calls.append(name)
            return part(*arguments, **named)

        monkeypatch.setattr(encoder, name, counting)
    return calls


def test_words_and_pictures_edit(pipeline):
    photo = pictures(seed=1)
    elf, orc = pipeline(photo, "an elf"), pipeline(photo, "a green orc")
    picture = pipeline(photo, reference=pictures(seed=2))
    assert not torch.equal(planes_of(elf), planes_of(orc))
    assert not torch.equal(planes_of(elf), planes_of(picture))
    assert torch.equal(planes_of(pipeline(photo, "an elf")), planes_of(elf))
    assert elf.portrait.provenance["prompt"] == "an elf"
    assert elf.portrait.provenance["pipeline"] == "edit"
    assert picture.portrait.provenance["reference"]["name"] == "a picture"
    exact = pipeline(photo, "an elf", path="exact")
    assert torch.allclose(planes_of(exact), planes_of(elf), atol=1e-4)


def test_a_new_prompt_runs_the_prompt_and_the_planes(pipeline, counted):
    photo = pictures(seed=1)
    first = pipeline(photo, "an elf")
    assert counted == ["photo_features", "planes"]
    counted.clear()
    again = pipeline(prompt="a green orc", keep=first)
    named = pipeline(photo, reference=pictures(seed=2), keep=first)
    assert counted == ["planes", "reference_tokens", "planes"]
    assert torch.equal(planes_of(again), planes_of(pipeline(photo, "a green orc")))
    assert again.seconds.keys() == {"prompt", "planes"}
    assert named.features is first.features


def test_a_new_photo_keeps_the_prompt(pipeline, counted):
    first = pipeline(pictures(seed=1), reference=pictures(seed=2))
    counted.clear()
    other = pipeline(pictures(seed=3), keep=first)
    assert counted == ["photo_features", "planes"]
    assert other.tokens is first.tokens
    fresh = pipeline(pictures(seed=3), reference=pictures(seed=2))
    assert torch.equal(planes_of(other), planes_of(fresh))
    assert other.portrait.provenance == fresh.portrait.provenance


def test_portraits_are_seen_from_their_own_camera(pipeline):
    portrait = tiny_portrait()
    picture = portrait.render(portrait.camera).image.clamp(-1, 1)
    edited = pipeline(portrait, "an elf")
    assert torch.equal(planes_of(edited), planes_of(pipeline(picture, "an elf")))


def test_results_are_portraits_like_any_other(pipeline, tmp_path):
    edited = pipeline(pictures(), "a wug")
    edited.portrait.save(tmp_path / "p.safetensors")
    loaded = Portrait.load(tmp_path / "p.safetensors")
    assert loaded.provenance["prompt"] == "a wug"
    assert loaded.render(loaded.orbit(0.2)).image.shape == (1, 3, 32, 32)
    assert edited.notes == ("it does not know 'wug'",)


def test_networks_without_a_prompt_leave_photos_as_they_are():
    plain = EditPipeline(tiny_network(TINY_LIVE3D), name="base")
    photo = pictures()
    first = plain(photo)
    assert first.tokens is None
    assert plain(keep=first).features is first.features
    with pytest.raises(UserError, match="base takes no prompt"):
        plain(photo, "an elf")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "no photo: give a picture"),
        ({"photo": pictures()}, "no prompt: say in words"),
        (
            {"photo": pictures(), "prompt": "an elf", "reference": pictures()},
            "as words and as a reference; give one of them",
        ),
        ({"photo": pictures(), "prompt": "  "}, "the prompt is empty"),
        ({"photo": pictures(2), "prompt": "an elf"}, "expected one square picture"),
        ({"photo": pictures()[..., :40], "prompt": "an elf"}, "expected one square picture"),
        ({"photo": pictures(), "reference": pictures(2)}, "reference: got 2 pictures"),
        ({"photo": "/nowhere.png", "prompt": "an elf"}, "this pipeline has no aligner"),
        ({"photo": pictures(), "reference": "/nowhere.png"}, "nowhere.png"),
        ({"photo": pictures(), "prompt": "an elf", "face": 0}, "face"),
    ],
)
def test_mistakes_are_one_line_each(pipeline, asked, said):
    if not asked:
        asked = {"prompt": "an elf"}
    with pytest.raises(UserError, match=said):
        pipeline(**asked)


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_nothing_is_left_behind_on_another_device(path):
    photo, reference = pictures(seed=1), pictures(seed=2)
    here = EditPipeline(tiny_network())(photo, reference=reference, path=path)
    with pretended_device() as device:
        there = EditPipeline(tiny_network()).to(device)
        edited = there(photo, reference=reference, path=path)
        tensors = [edited.portrait.planes, edited.portrait.ws, edited.tokens, edited.photo]
        assert {tensor.device for tensor in tensors} == {device}
        assert edited.portrait.render().image.device == device
        kept = there(pictures(seed=3), keep=edited, path=path)
        assert kept.portrait.planes.device == device
        torch.testing.assert_close(planes_of(edited).cpu(), planes_of(here), atol=1e-4, rtol=1e-3)


def test_networks_that_know_no_words_say_so():
    pipeline = EditPipeline(tiny_network(), name="official")
    with pytest.raises(UserError, match="official takes no words; give a reference picture"):
        pipeline(pictures(), "an elf")
    assert pipeline(pictures(), reference=pictures(seed=1)).tokens is not None


def test_references_are_the_middle_of_their_picture():
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, 16:80] = 255
    prompt = Prompt.of(None, pixels, 32)
    assert torch.equal(prompt.picture, torch.ones(1, 3, 32, 32))
    assert torch.equal(middle_square(prompt.picture, 32), prompt.picture)
    with pytest.raises(UserError, match="expected the name of an editor"):
        TextPromptConfig("../elsewhere")
