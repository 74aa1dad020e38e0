"""CNeRF's pictures: decoder, truncation as published, semantics, colours of masks."""

from __future__ import annotations

import pytest
import torch
from cnerf_numbers import DECODED, MAPPED, RENDERED, SmallCNeRF, worst

from triptych.systems.compose.regions import region_colours
from triptych.systems.compose.style_codes import Means, decoder_code, towards, volume_code


@pytest.fixture(scope="module")
def small(shared) -> SmallCNeRF:
    return SmallCNeRF(shared / "fixtures" / "cnerf_small")


@pytest.fixture(scope="module")
def generator(small):
    return small.generator()


@pytest.fixture(scope="module")
def means(small) -> Means:
    return Means(small.outputs["mapping/mean_w"], small.outputs["mapping/mean_decoder"])


@torch.no_grad()
def test_the_whole_generator(small, generator):
    codes = small.inputs["w_plus"]
    rendering = generator.render(codes, small.cameras())
    moved = generator.feature_transfer((rendering.features[:, 3:] + 1) / 2)
    assert worst(moved, small.outputs["full_all/feature_transfer"]) < RENDERED
    style = generator.decoder_codes(small.inputs["w_global"])
    final = generator.decode(rendering, style, small.noises())
    assert worst(final.image, small.outputs["full_all/image"]) < DECODED
    assert worst(final.regions, small.outputs["full_all/seg"]) < DECODED


@torch.no_grad()
def test_published_semantics(small, generator):
    style = generator.decoder_codes(small.inputs["w_global"][:1])
    for shown in small.semantics:
        case = "full_sem_" + "_".join(map(str, shown))
        codes, camera = small.inputs["w_plus"][:1], small.cameras()[:1]
        rendering = generator.render(codes, camera, shown=tuple(shown))
        final = generator.decode(rendering, style, small.noises())
        assert worst(final.image, small.outputs[f"{case}/image"]) < DECODED
        assert worst(final.regions, small.outputs[f"{case}/seg"]) < DECODED
        assert worst(rendering.image, small.outputs[f"{case}/thumb_rgb"]) < RENDERED


@torch.no_grad()
def test_the_inference_script_truncates_twice(small, generator, means):
    psi, outputs = small.truncation, small.outputs
    w = generator.mapping(small.inputs["z"][:1])
    once = towards(means.w, w, psi)
    assert worst(once, outputs["infer_script/w_after_first_truncation"]) < MAPPED
    codes = generator.codes_of(volume_code(w, means, psi, "published"))
    rendering = generator.render(codes, small.cameras()[:1])
    final = generator.decode(rendering, decoder_code(generator, w, means, psi))
    assert worst(rendering.image, outputs["infer_script/thumb_rgb"]) < RENDERED
    assert worst(rendering.regions, outputs["infer_script/thumb_seg"]) < RENDERED
    assert worst(final.image, outputs["infer_script/image"]) < DECODED
    assert worst(final.regions, outputs["infer_script/seg"]) < DECODED


@torch.no_grad()
def test_a_latent_is_truncated_once(small, generator, means):
    psi = small.truncation
    w = generator.mapping(small.inputs["z"][:1])
    codes = generator.codes_of(volume_code(w, means, psi, "single"))
    rendering = generator.render(codes, small.cameras()[:1])
    style = decoder_code(generator, w, means, psi)
    final = generator.decode(rendering, style, small.noises())
    assert worst(rendering.image, small.outputs["z_path/thumb_rgb"]) < RENDERED
    assert worst(final.image, small.outputs["z_path/image"]) < DECODED


def test_colours_of_masks(small):
    found = region_colours(small.inputs["segmap/probs"])
    assert torch.equal(found, small.outputs["segmap/colors"])
