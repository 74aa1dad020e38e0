"""Wishes that need models which are not embedded, with toys in their place."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from toy_compose import WITHOUT_DECODER, tiny_region_generator
from toy_edit import TINY, tiny_rendering
from toy_portraits import tiny_portrait

from triptych.errors import UserError
from triptych.export.pictures import save_png
from triptych.export.splats.fitting import fit_splats
from triptych.portrait import Portrait
from triptych.runs import extras
from triptych.studio import systems
from triptych.studio.gallery import Gallery
from triptych.studio.tasks import task_of
from triptych.studio.tasks.workshop import Workshop
from triptych.studio.workplace import Workplace, new_id
from triptych.systems.edit.network import PortraitEncoder, PortraitEncoderConfig
from triptych.weights import save_module
from triptych.weights.registry import MODELS, ModelEntry


@pytest.fixture
def workshop(tmp_path) -> Workshop:
    place = Workplace(tmp_path / "studio")
    place.make()
    return Workshop(Gallery(place), torch.device("cpu"))


def embed(monkeypatch, name: str, kind: str, file: Path) -> None:
    """Let a file be an embedded model."""
    entry = ModelEntry(name, kind, "embedded", str(file), "Apache-2.0", "")
    monkeypatch.setitem(MODELS, name, entry)


def done(workshop: Workshop, kind: str, **settings) -> str:
    name = new_id()
    with extras.left_out():
        task_of(kind, settings).run(workshop, name)
    return name


def test_a_tab_is_shown_once_its_model_is_here(tmp_path, monkeypatch):
    for name in ("avatar-composer", "avatar-edit", "avatar-styler"):
        monkeypatch.setitem(MODELS, name, dataclasses.replace(MODELS[name], file="absent"))
    known = systems.capabilities()
    assert not known["tabs"]["regions"]
    assert not known["tabs"]["picture"]
    assert not known["one_pass"]
    with pytest.raises(UserError, match="avatar-composer, is not on this machine"):
        systems.check_here("compose")
    save_module(tmp_path / "composer", tiny_region_generator(WITHOUT_DECODER), dtype=None)
    embed(monkeypatch, "avatar-composer", "region-generator", tmp_path / "composer")
    systems.check_here("compose")
    known = systems.capabilities()
    assert known["tabs"]["regions"]
    assert known["regions"][0] == "face"
    assert "background" not in known["regions"]
    (tmp_path / "composer").write_bytes(b"broken")
    assert systems.regions() == []
    embed(monkeypatch, "avatar-styler", "example-styler", tmp_path / "composer")
    assert systems.capabilities()["tabs"]["picture"]


@pytest.mark.thorough
def test_regions_are_exchanged_once_a_composer_is_here(workshop, tmp_path, monkeypatch):
    file = tmp_path / "composer.safetensors"
    save_module(file, tiny_region_generator(WITHOUT_DECODER), dtype=None)
    embed(monkeypatch, "avatar-composer", "region-generator", file)
    monkeypatch.setattr("triptych.systems.compose.job.save_views", lambda *_: None)
    locality = mock.Mock(**{"return_value.record.return_value": {}})
    monkeypatch.setattr("triptych.systems.compose.job.swap_locality", locality)
    monkeypatch.setattr("triptych.studio.tasks.workshop._THUMBNAIL_SIZE", 16)
    seen = []

    def quickly_fitted(portrait, *, progress):
        seen.extend(entry["has_page"] for entry in workshop.gallery.entries())
        return fit_splats(portrait, resolution=16, steps=0)

    monkeypatch.setattr("triptych.export.html.page.fit_splats", quickly_fitted)
    first = done(workshop, "compose", seed=1)
    second = done(workshop, "compose", portrait=first, regions=("hair=7",))
    record = workshop.gallery.record(second)
    assert (record.title, record.parent, record.has_regions) == ("Regions, hair=7", first, True)
    assert workshop.gallery.thumbnail(second).is_file()
    assert seen == [False, False, True]  # a picture while its page is made
    assert record.has_page
    assert '"kind": "splats"' in workshop.gallery.page(second).read_text()
    assert not (workshop.workplace.portrait(second) / "turntable.mp4").exists()
    heads = [Portrait.load(workshop.gallery.file(name)) for name in (first, second)]
    hair = 2 * heads[0].region_names.index("hair")
    changed = (heads[0].codes != heads[1].codes).any(dim=2)[0].nonzero().flatten().tolist()
    assert changed == [hair, hair + 1]


@pytest.mark.thorough
def test_a_picture_is_a_style_once_an_encoder_is_here(workshop, tmp_path, monkeypatch):
    config = PortraitEncoderConfig(replace(TINY, keeps_base=True), tiny_rendering())
    network = PortraitEncoder(config, rng=torch.Generator().manual_seed(0)).eval()
    save_module(tmp_path / "edit.safetensors", network, dtype=None)
    embed(monkeypatch, "avatar-edit", "portrait-encoder", tmp_path / "edit.safetensors")
    assert systems.tabs()["picture"]
    assert systems.capabilities()["one_pass"]

    head, picture = new_id(), new_id()
    workshop.workplace.portrait(head).mkdir()
    portrait = replace(tiny_portrait(), provenance={"pipeline": "generate", "seed": 7})
    portrait.save(workshop.workplace.portrait(head) / "portrait.safetensors")
    workshop.show(head, title="Seed 7", kind="make")
    assert workshop.gallery.record(head).seed == 7
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (64, 64, 3), generator=rng, dtype=torch.uint8)
    save_png(workshop.workplace.upload(picture), pixels.numpy())
    edited = done(workshop, "edit", portrait=head, picture=picture, strength=0.5)
    record = workshop.gallery.record(edited)
    assert (record.title, record.parent) == ("In the style of a picture", head)
    assert record.seed is None
    made_by = Portrait.load(workshop.gallery.file(edited)).provenance
    assert made_by["strength"] == 0.5
    assert "reference" in made_by
