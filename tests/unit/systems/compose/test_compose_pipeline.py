"""Portraits of regions: swaps, cuts, files, meshes, and the verb."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest
import torch
from commands import quick_results, run  # noqa: F401 - fixtures
from PIL import Image
from toy_compose import TINY, WITHOUT_DECODER, tiny_region_generator
from toy_portraits import tiny_portrait

from triptych.errors import UserError
from triptych.export.mesh import portrait_mesh, save_mesh
from triptych.models.attributes import ATTRIBUTE_DIM, attribute_slices
from triptych.portrait import Portrait
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.locality import Locality, pooled_ratio, swap_locality
from triptych.systems.compose.pipeline import ComposePipeline, RegionChoice
from triptych.systems.compose.region_attributes import attribute_masks
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.systems.compose.regions import AVATAR_ORDER
from triptych.weights import save_module

HAIR = RegionChoice("hair", 7)


@pytest.fixture(scope="module")
def pipeline() -> ComposePipeline:
    return ComposePipeline(tiny_region_generator(), "toy", hashes={"region-generator": "1" * 64})


@pytest.fixture(scope="module")
def portrait(pipeline) -> RegionPortrait:
    return pipeline(1)


def changed_codes(one: RegionPortrait, other: RegionPortrait) -> list[int]:
    return (one.codes != other.codes).any(dim=2)[0].nonzero()[:, 0].tolist()


def test_a_swap_sets_the_codes_of_its_region_alone(pipeline, portrait):
    both = pipeline(1, [HAIR])
    assert changed_codes(portrait, both) == [14, 15]
    assert torch.equal(both.codes[:, 14:16], pipeline(7).codes[:, 14:16])
    shape = pipeline(1, [RegionChoice("eyes", 7, "shape"), RegionChoice("hair", 7, "texture")])
    assert changed_codes(portrait, shape) == [4, 15]
    assert torch.equal(both.decoder_code, portrait.decoder_code)


def test_published_truncation_moves_twice(pipeline):
    psi = 0.5
    mean = pipeline(1, truncation_psi=0.0).codes
    whole = pipeline(1, truncation_psi=1.0).codes
    once = pipeline(1, truncation_psi=psi).codes
    twice = pipeline(1, truncation_psi=psi, truncation="published").codes
    assert torch.allclose(once, mean + psi * (whole - mean), atol=1e-6)
    assert torch.allclose(twice, mean + psi**2 * (whole - mean), atol=1e-6)


def test_going_on_from_a_portrait_equals_asking_at_once(pipeline, portrait, tmp_path):
    portrait.save(tmp_path / "portrait.safetensors", exact=True)
    loaded = Portrait.load(tmp_path / "portrait.safetensors")
    later = ComposePipeline.of_portrait(loaded)
    changed = later.changed(loaded, [HAIR])
    assert torch.equal(changed.codes, pipeline(1, [HAIR]).codes)
    assert changed.provenance["regions"] == [{"region": "hair", "seed": 7, "aspect": "both"}]
    assert changed.provenance["model_hashes"] == {"region-generator": "1" * 64}
    assert changed_codes(loaded, portrait) == []


def test_a_view_has_regions_beside_the_picture(portrait):
    view = portrait.render(size=48)
    assert view.image.shape == (1, 3, 48, 48)
    assert view.image_raw.shape == (1, 3, 16, 16)
    assert view.regions.shape == (1, 9, 48, 48)
    assert portrait.region_names == TINY.regions


def test_rays_in_pieces_are_the_same_picture(portrait, monkeypatch):
    cut = replace(portrait, only=(1, 7))
    whole = cut.render(size=24)
    monkeypatch.setattr(
        "triptych.systems.compose.region_rays.cast.__kwdefaults__", {"points_at_once": 500}
    )
    pieces = cut.render(size=24)
    for name in ("image", "depth", "alpha", "regions"):
        assert torch.allclose(getattr(pieces, name), getattr(whole, name), atol=1e-5)


def test_a_cut_portrait_shows_its_regions_over_the_background(pipeline, portrait):
    whole = portrait.render(size=32)
    share = {name: index for index, name in enumerate(TINY.regions)}
    seen = [name for name in TINY.regions if (whole.regions.argmax(1) == share[name]).sum() > 20]
    assert len(seen) > 1, "the toy shows several regions"
    cut = pipeline(1, only=seen[:1])
    view = cut.render(size=32)
    assert cut.only == (share[seen[0]],)
    assert 0 < float(view.alpha.mean()) < float(whole.alpha.mean())
    behind = view.image.permute(0, 2, 3, 1)[view.alpha[:, 0] < 1e-4]
    assert torch.allclose(behind, torch.full_like(behind, 0.5), atol=1e-3)


def test_published_semantics_keep_geometry_and_volume_colours(pipeline, portrait):
    shown = pipeline(1, only=["hair"], semantics="published")
    assert (shown.only, shown.shown) == (None, (7,))
    one, other = portrait.render(), shown.render()
    assert torch.equal(one.image_raw, other.image_raw)
    assert torch.equal(one.depth, other.depth)
    assert not torch.equal(one.image, other.image)


def test_published_semantics_need_a_decoder():
    pipeline = ComposePipeline(tiny_region_generator(WITHOUT_DECODER))
    assert pipeline(1).render(size=20).image.shape == (1, 3, 20, 20)
    with pytest.raises(UserError, match="semantics: 'published'.*no decoder; use 'true'"):
        pipeline(1, only=["hair"], semantics="published")


def test_locality_by_hand(pipeline, portrait):
    nothing = swap_locality(portrait, portrait, (7,))
    assert (nothing.inside, nothing.outside, nothing.ratio) == (0, 0, 0)
    swapped = swap_locality(portrait, pipeline(7), tuple(range(9)))
    assert swapped.inside > 0
    assert swapped.outside == 0, "all pixels are in some region"


def test_a_mesh_has_a_node_for_each_region(portrait, tmp_path):
    mesh = portrait_mesh(portrait, resolution=24)
    assert len(mesh.regions) > 1
    assert set(mesh.regions) <= set(TINY.regions)
    assert sum(len(triangles) for triangles in mesh.regions.values()) == len(mesh.triangles)
    radius = np.linalg.norm(mesh.vertices, axis=1)
    expected = 0.6 * TINY.half_box
    assert abs(float(np.median(radius)) - expected) < 0.1 * expected
    save_mesh(tmp_path / "a.glb", mesh)
    content = (tmp_path / "a.glb").read_bytes()
    length = struct.unpack("<I", content[12:16])[0]
    document = json.loads(content[20 : 20 + length])
    assert [node["name"] for node in document["nodes"]] == list(mesh.regions)
    counts = [
        document["accessors"][m["primitives"][0]["indices"]]["count"] for m in document["meshes"]
    ]
    assert counts == [3 * len(triangles) for triangles in mesh.regions.values()]


def test_a_distance_of_one_sign_is_one_clear_error():
    generator = tiny_region_generator()
    generator.renderer.init_network.sdf_linear.bias.add_(1.0)
    with pytest.raises(UserError, match="the signed distance has one sign"):
        portrait_mesh(ComposePipeline(generator)(1), resolution=16)


def test_each_code_is_made_of_its_regions_attributes():
    masks = attribute_masks(AVATAR_ORDER)
    assert masks.shape == (18, ATTRIBUTE_DIM)
    assert masks[:2].sum() == 0, "the background is nobody's"
    slices = attribute_slices()

    def codes_with(name: str) -> list[int]:
        return masks[:, slices[name]].any(dim=1).nonzero()[:, 0].tolist()

    eyes, ears, hair, cloth = (
        AVATAR_ORDER.index(n) for n in ("eyes", "ears", "hair", "neck-cloth")
    )
    assert codes_with("iris_rgb") == [2 * eyes + 1]
    assert codes_with("ears") == [2 * ears]
    assert codes_with("hair_volume") == [2 * hair]
    assert codes_with("garment_rgb") == [2 * cloth + 1]
    with pytest.raises(UserError, match="regions: got 'wig'"):
        attribute_masks(("wig",))


def test_a_model_of_attributes_changes_nothing_but_what_has_the_attribute():
    config = replace(TINY, regions=AVATAR_ORDER, style_dim=ATTRIBUTE_DIM, latent_kind="attributes")
    generator = RegionGenerator(config).eval().requires_grad_(False)
    person = generator.latent(3)
    other = person.clone()
    other[:, attribute_slices()["hair_length"]] += 1
    codes = [generator.codes_of_attributes(latent) for latent in (person, other)]
    changed = (codes[0] != codes[1]).any(dim=2)[0].nonzero()[:, 0].tolist()
    assert changed == [2 * AVATAR_ORDER.index("hair")]
    pipeline = ComposePipeline(generator)
    assert torch.equal(pipeline(3).decoder_code, pipeline(4).decoder_code)
    average = pipeline(3, truncation_psi=0.0).codes
    assert torch.equal(average, pipeline(4, truncation_psi=0.0).codes)


@pytest.fixture
def model(tmp_path):
    save_module(tmp_path / "composer.safetensors", tiny_region_generator(), dtype=None)
    return "composer.safetensors"


def test_the_verb_leaves_a_folder_for_each_seed(run, model, tmp_path, quick_results):  # noqa: F811
    outcome = run("compose", "--seeds", "1,2", "--model", model, "--out", "people", "--size", 16)
    assert outcome.code == 0, outcome.err
    names = {"portrait.safetensors", "turntable.mp4", "mesh.glb", "views.png"}
    for seed in (1, 2):
        folder = tmp_path / "people" / f"seed{seed:05d}"
        assert {path.name for path in folder.iterdir()} == names
    sheet = Image.open(tmp_path / "people" / "seed00001" / "views.png")
    assert sheet.size == (5 * 20 + 4, 2 * 20 + 4), "five pictures of 16 over five maps"


def test_swaps_of_regions_that_are_alike_do_not_decide():
    assert pooled_ratio([Locality(0.5, 0.01), Locality(0.0001, 0.01)]) == pytest.approx(0.04, 1e-2)
    assert pooled_ratio([]) == pooled_ratio([Locality(0.0, 0.0)]) == 0


def test_swaps_morphs_and_going_on(run, model, tmp_path, quick_results):  # noqa: F811
    one = ("--region", "hair=7", "--region", "eyes.shape=12")
    mixed = run("compose", "--seeds", 3, *one, "--model", model, "--out", "mix")
    assert mixed.code == 0, mixed.err
    record = json.loads((tmp_path / "mix" / "run.json").read_text())
    assert {"inside", "outside", "ratio"} == set(record["locality"])
    words = ("mix/portrait.safetensors", "--interpolate", "mouth=5", "--frames", 3, "--size", 16)
    gone_on = run("compose", *words, "--out", "mix2")
    assert gone_on.code == 0, gone_on.err
    assert sum(1 for _ in imageio.get_reader(tmp_path / "mix2" / "morph.mp4")) == 3
    portrait = Portrait.load(tmp_path / "mix2" / "portrait.safetensors")
    assert [choice["region"] for choice in portrait.provenance["regions"]] == ["hair", "eyes"]
    again = run("compose", *words, "--out", "mix2")
    assert "already holds this very run" in again.err


def test_a_portrait_without_regions_is_refused(run, tmp_path):  # noqa: F811
    tiny_portrait().save(tmp_path / "portrait.safetensors")
    outcome = run("compose", "portrait.safetensors", "--region", "hair=1", "--out", "x")
    assert outcome.code == 2
    assert "holds a TriPlanePortrait, which has no regions" in outcome.complaint
    assert not (tmp_path / "x").exists()
    outcome = run("compose", "absent.safetensors", "--region", "hair=1", "--out", "x")
    assert "there is no portrait absent.safetensors" in outcome.complaint


def test_a_file_with_regions_that_do_not_exist_is_refused(portrait, tmp_path):
    replace(portrait, only=(8, 20)).save(tmp_path / "p.safetensors")
    with pytest.raises(UserError, match=r"p.safetensors: 'only' is \[8, 20\]; expected indices"):
        Portrait.load(tmp_path / "p.safetensors")
