"""3DPE's encoder, stage by stage, from the trunk to the planes and their gradients."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from edit_numbers import STAGE, SmallEdit, check_stage
from torch.nn import functional

from triptych.systems.edit.encoder import (
    TriplaneEncoder,
    live3d_encoder,
    live3d_light_encoder,
    published_encoder,
)
from triptych.systems.edit.encoder_config import PromptBranchConfig
from triptych.systems.edit.preprocessing import reference_input, with_coordinates
from triptych.systems.edit.prompt_branch import attention_weights, sine_positions
from triptych.systems.edit.token_blocks import as_map, as_tokens, upsample_twice
from triptych.weights.tensor_fit import shapes_of


@pytest.fixture(scope="module")
def small(shared) -> SmallEdit:
    return SmallEdit(shared / "fixtures" / "3dpe_small")


@pytest.fixture(scope="module")
def encoder(small) -> TriplaneEncoder:
    return small.network().encoder


@pytest.fixture(scope="module")
def prompt(small) -> PromptBranchConfig:
    found = small.encoder_config.prompt
    assert found is not None
    return found


@pytest.fixture(scope="module")
@torch.no_grad()
def photo(small, encoder):
    """Features of the photo, from the stages before them."""
    return encoder.photo_features(small.photo())


@torch.no_grad()
def test_trunk_and_pyramid(small, encoder):
    placed = with_coordinates(small.photo(), small.encoder_config.coordinates)
    maps = encoder.encoder(placed)
    for index, found in enumerate(maps, start=1):
        check_stage(found, small, f"stage.resnet_feature{index}")
    pyramid, _ = encoder.decoder
    for index, branch in enumerate(pyramid.convs):
        check_stage(branch(maps[-1]), small, f"stage.aspp_branch{index}")
    check_stage(pyramid(maps[-1]), small, "stage.aspp_project")
    check_stage(encoder.decoder(maps[-1]), small, "stage.low_feature")


@torch.no_grad()
def test_low_branch(small, encoder, photo):
    low = encoder.F_encoder
    tokens, size = low.patchembed(small.numbers["stage.low_feature"])
    check_stage(tokens, small, "stage.F_patch_tokens")
    for index, block in enumerate(low.blocks):
        tokens = block(tokens, size)
        check_stage(tokens, small, f"stage.F_block{index}")
    shuffled = functional.pixel_shuffle(as_map(tokens, *size), 2)
    check_stage(upsample_twice(shuffled), small, "stage.F_upsample")
    check_stage(photo.low, small, "stage.f_feature")


def test_high_branch_and_queries(small, photo):
    check_stage(photo.high, small, "stage.high_feature")
    check_stage(as_tokens(photo.queries), small, "stage.query_tokens")


@torch.no_grad()
def test_prompt_branch(small, encoder, prompt, photo):
    reference = reference_input(small.reference(), prompt)
    seen = encoder.Ref_encoder.mae_encoder
    check_stage(seen.patch_embed(reference), small, "stage.mae_patch_tokens")
    tokens = encoder.reference_tokens(reference)
    check_stage(tokens, small, "stage.mae_tokens")
    first = (
        torch.cat([seen.cls_token, small.numbers["stage.mae_patch_tokens"]], dim=1) + seen.pos_embed
    )
    check_stage(seen.blocks[0](first), small, "stage.mae_block0")
    weights = attention_weights(as_tokens(photo.queries), tokens)
    check_stage(weights, small, "stage.cross_attention_probs")
    check_stage(encoder.Ref_encoder(photo.queries, tokens), small, "stage.high_ref_feature")


@torch.no_grad()
def test_planes(small, encoder, prompt, photo):
    tokens = encoder.reference_tokens(reference_input(small.reference(), prompt))
    last = encoder.Final_encoder
    joined = last.net(torch.cat([encoder.Ref_encoder(photo.queries, tokens), photo.low], dim=1))
    check_stage(joined, small, "stage.final_pre")
    patches, size = last.pathembed(joined)
    check_stage(patches, small, "stage.final_patch_tokens")
    check_stage(last.block(patches, size), small, "stage.final_block")
    planes = encoder.planes(photo, tokens)
    assert planes.is_contiguous()
    check_stage(planes.flatten(1, 2), small, "stage.planes")


@torch.no_grad()
def test_planes_of_the_photo_as_it_is(small, encoder, photo):
    check_stage(encoder.planes(photo).flatten(1, 2), small, "stage.planes_no_reference")


@torch.no_grad()
def test_a_batch_of_two(small, encoder, prompt):
    reference = reference_input(small.reference("batch2"), prompt)
    planes = encoder(small.photo("batch2"), reference)
    check_stage(planes.flatten(1, 2), small, "batch2.planes")


def test_resizing_with_and_without_antialiasing(small):
    pictures = small.numbers["preprocess.u8"][None].float() / 255 * 2 - 1
    for name, antialias in (("mae_noaa", False), ("mae_aa", True)):
        expected = small.numbers[f"preprocess.{name}"][None]
        config = PromptBranchConfig(
            image_size=expected.shape[-1], patch_size=expected.shape[-1], antialias=antialias
        )
        found = reference_input(pictures, config)
        error = (found - expected).abs().max() / expected.abs().max()
        assert error <= STAGE, name


def test_gradient_norms(small, prompt):
    encoder = small.network().encoder.requires_grad_(True)
    reference = reference_input(small.reference(), prompt)
    loss = encoder(small.photo(), reference).abs().mean()
    assert float(loss.detach()) == pytest.approx(small.sizes["grad_loss_value"], rel=STAGE)
    loss.backward()
    norms = {name: float(p.grad.norm()) for name, p in encoder.named_parameters()}
    expected = {name: norm for name, norm in small.grad_norms.items() if norm is not None}
    assert norms.keys() == expected.keys()
    for name, norm in norms.items():
        assert norm == pytest.approx(expected[name], rel=STAGE, abs=1e-8), name


def test_the_position_codes_are_the_stored_ones(small, encoder, prompt):
    stored = small.state["encoder.Ref_encoder.mae_encoder.pos_embed"][0]
    assert torch.allclose(sine_positions(prompt.grid_size, prompt.width), stored, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("3dpe_state_dict", published_encoder),
        ("3dpe_live3d_LT_state_dict", live3d_light_encoder),
        ("3dpe_live3d_Normal_state_dict", live3d_encoder),
    ],
)
def test_published_names_and_shapes(shared, name, config):
    listed = listed_shapes(shared / "reference" / f"{name}.tsv")
    used = {
        key: shape
        for key, shape in listed.items()
        if not key.startswith(("encoder.layer3.", "encoder.layer4."))
    }
    assert shapes_of(lambda: TriplaneEncoder(config())) == used


def listed_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the encoder's part of a list of tensors."""
    with open(path, newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {
            row["key"]: tuple(int(size) for size in row["shape"].split("x"))
            for row in rows
            if row.get("checkpoint_section", "encoder_state_dict") == "encoder_state_dict"
        }
