"""Style packs: strength, mixing, files, and the generator that they belong to."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from triptych.errors import UserError
from triptych.fields.recoloured_decoder import ColourChange
from triptych.models.style_strength import StyleStrength
from triptych.models.styled_layers import styled_layers
from triptych.portrait import TriPlanePortrait
from triptych.portrait.style_pack import StyledModel, StylePack, mixed
from triptych.portrait.worn_style import wearing
from triptych.weights.file_header import FileHeader
from triptych.weights.safetensors_file import save_tensors

MODEL = StyledModel("toy", "1" * 64)


@pytest.fixture(scope="module")
def pack(toy_generator):
    return pack_of(toy_generator, seed=1)


def pack_of(generator, seed) -> StylePack:
    rng = torch.Generator().manual_seed(seed)
    factors = {
        place.name: 1 + 0.4 * torch.randn(place.layer.affine.weight.shape[0], generator=rng)
        for place in styled_layers(generator)
    }
    shifts = {
        place.name: 0.1 * torch.randn(place.layer.bias.shape[0], generator=rng)
        for place in styled_layers(generator)
    }
    pictures = torch.randint(0, 256, (2, 8, 8, 3), generator=rng).to(torch.uint8)
    colours = ColourChange(
        **{
            name: 0.3 * torch.randn(shape, generator=rng)
            for name, shape in ColourChange.shapes(generator.decoder).items()
        }
    )
    record = {"artworks": [seed]}
    return StylePack(MODEL, factors, shifts, pictures, "public domain", record, colours)


@pytest.fixture(scope="module")
def ws(toy_generator):
    return toy_generator.mapping(toy_generator.latent(3))


def test_the_folded_generator_is_the_edited_one(toy_generator, pack, ws):
    edited = toy_generator.planes(ws, edits=pack.edits(toy_generator, MODEL))
    folded = pack.folded(toy_generator, MODEL).planes(ws)
    assert (folded - edited).abs().max() < 1e-5 * edited.abs().max()
    assert (edited - toy_generator.planes(ws)).abs().max() > 0.01 * edited.abs().max()


def test_at_strength_zero_heads_are_untouched(toy_generator, pack, ws):
    untouched = pack.folded(toy_generator, MODEL, StyleStrength(0.0, 0.0)).planes(ws)
    assert torch.equal(untouched, toy_generator.planes(ws))
    assert not torch.equal(
        pack.folded(toy_generator, MODEL, StyleStrength(0.0, 1.0)).planes(ws), untouched
    )


def test_colours_follow_the_strength_of_the_appearance(toy_generator, pack):
    shapes_only = pack.folded(toy_generator, MODEL, StyleStrength(1.0, 0.0))
    assert shapes_only.config.decoder == toy_generator.config.decoder
    styled = pack.folded(toy_generator, MODEL)
    assert styled.config.decoder.num_hidden == 2 * toy_generator.config.decoder.num_hidden
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    made, own = styled.decoder(x), toy_generator.decoder(x)
    assert torch.allclose(made.geometry, own.geometry, atol=1e-5)
    assert not torch.allclose(made.features, own.features, atol=1e-2)
    foreign = replace(pack, colours=replace(pack.colours, bias=torch.zeros(5)))
    with pytest.raises(UserError, match="not of the decoder"):
        foreign.folded(toy_generator, MODEL)


def test_a_finished_portrait_puts_on_a_style(toy_generator, pack, ws):
    """Planes that are not those of its codes keep their difference from them."""
    portrait = TriPlanePortrait.from_generator(toy_generator, ws)
    expected = TriPlanePortrait.from_generator(pack.folded(toy_generator, MODEL), ws)
    worn = wearing(portrait, toy_generator, pack, MODEL)
    assert torch.equal(worn.planes, expected.planes)
    assert worn.provenance["style"]["licence"] == "public domain"
    tuned = replace(portrait, planes=portrait.planes + 0.25)
    difference = wearing(tuned, toy_generator, pack, MODEL).planes - expected.planes
    assert torch.allclose(difference, torch.full_like(difference, 0.25), atol=1e-5)
    untouched = wearing(tuned, toy_generator, pack, MODEL, StyleStrength(0.0, 0.0))
    assert torch.equal(untouched.planes, tuned.planes)
    with pytest.raises(UserError, match="made for the generator"):
        wearing(portrait, toy_generator, pack, StyledModel("other", "2" * 64))


def test_a_file_holds_everything(tmp_path, pack):
    pack.save(tmp_path / "style.safetensors")
    found = StylePack.load(tmp_path / "style.safetensors")
    assert (found.model, found.licence) == (pack.model, "public domain")
    assert found.provenance == pack.provenance
    assert found.record() == pack.record()
    assert torch.equal(found.previews, pack.previews)
    assert found.factors.keys() == pack.factors.keys()
    assert all(torch.equal(found.factors[name], factor) for name, factor in pack.factors.items())
    assert found.shifts.keys() == pack.shifts.keys()
    assert all(torch.equal(found.shifts[name], shift) for name, shift in pack.shifts.items())
    own = pack.colours.parts()
    assert all(torch.equal(part, own[name]) for name, part in found.colours.parts().items())
    assert (tmp_path / "style.safetensors").stat().st_size < 100_000
    replace(pack, colours=None).save(tmp_path / "plain.safetensors")
    assert StylePack.load(tmp_path / "plain.safetensors").colours is None


def test_another_generator_is_refused_by_both_names(toy_generator, pack):
    other = StyledModel("somebody else", "2" * 64)
    with pytest.raises(UserError, match="generator 'toy' .1111.*: got 'somebody else' .2222"):
        pack.folded(toy_generator, other)
    missing = replace(pack, factors=dict(list(pack.factors.items())[1:]))
    longer = replace(pack, shifts={name: torch.zeros(99) for name in pack.shifts})
    for wrong in (missing, longer):
        with pytest.raises(UserError, match="not those of the generator 'toy'"):
            wrong.folded(toy_generator, MODEL)


def test_mixing_adds_what_each_style_changes(toy_generator, pack):
    other = pack_of(toy_generator, seed=2)
    both = mixed([(pack, 0.25), (other, 0.5)])
    for name, factor in both.factors.items():
        wanted = 1 + 0.25 * (pack.factors[name] - 1) + 0.5 * (other.factors[name] - 1)
        assert (factor - wanted).abs().max() < 1e-6
    for name, shift in both.shifts.items():
        wanted = 0.25 * pack.shifts[name] + 0.5 * other.shifts[name]
        assert (shift - wanted).abs().max() < 1e-6
    for name, part in both.colours.parts().items():
        wanted = 0.25 * pack.colours.parts()[name] + 0.5 * other.colours.parts()[name]
        assert torch.allclose(part, wanted, atol=1e-6)
    assert both.licence == "public domain"
    alone = mixed([(pack, 1.0), (other, 0.0)])
    assert all((alone.factors[k] - f).abs().max() < 1e-6 for k, f in pack.factors.items())


def test_what_cannot_be_mixed(toy_generator, pack):
    with pytest.raises(UserError, match="got none"):
        mixed([])
    with pytest.raises(UserError, match="weight of a style: got 3"):
        mixed([(pack, 3.0)])
    foreign = replace(pack, model=StyledModel("other", "2" * 64))
    with pytest.raises(UserError, match="'toy' and 'other'"):
        mixed([(pack, 1.0), (foreign, 1.0)])


HOSTILE = {
    "no previews": (lambda t: t.pop("previews"), "previews are no small pictures"),
    "huge previews": (
        lambda t: t.update(previews=torch.zeros(1, 600, 1, 3, dtype=torch.uint8)),
        "previews are no small pictures",
    ),
    "another tensor": (lambda t: t.update(extra=torch.zeros(1)), "'extra' is no factor"),
    "a table": (lambda t: t.update({"factors.a": torch.zeros(2, 2)}), "'factors.a' is no factor"),
    "not finite": (
        lambda t: t.update({"factors.a": torch.tensor([float("nan")])}),
        "finite numbers of ordinary size",
    ),
    "nothing": (lambda t: [t.pop(k) for k in list(t) if k != "previews"], "nothing is no factor"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packs_are_refused(tmp_path, pack, name):
    change, said = HOSTILE[name]
    tensors = {f"factors.{key}": factor for key, factor in pack.factors.items()}
    tensors["previews"] = pack.previews
    change(tensors)
    header = FileHeader("StylePack", {"name": "toy", "sha256": "1" * 64})
    save_tensors(tmp_path / "x.safetensors", tensors, header)
    with pytest.raises(UserError, match=said):
        StylePack.load(tmp_path / "x.safetensors")


def test_a_hostile_name_is_refused(tmp_path, pack):
    header = FileHeader("StylePack", {"name": "a\nb", "sha256": ""})
    save_tensors(tmp_path / "x.safetensors", {"previews": pack.previews}, header)
    with pytest.raises(UserError, match=r"StyledModel\.name"):
        StylePack.load(tmp_path / "x.safetensors")
