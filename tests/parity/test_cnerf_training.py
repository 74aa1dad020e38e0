"""CNeRF's training: discriminators, losses, masks of its data set, published meshes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cnerf_numbers import SCORED, SmallCNeRF, worst
from PIL import Image
from safetensors.torch import load_file
from scipy.spatial import cKDTree

from triptych.systems.compose.depth_mesh import frustum_in_box, frustum_mesh
from triptych.systems.compose.discriminators import (
    DiscriminatorWidths,
    FullDiscriminator,
    SemanticDiscriminator,
    VolumeDiscriminator,
    mask_of,
)
from triptych.systems.compose.losses import view_loss
from triptych.systems.compose.region_masks import region_masks
from triptych.training.adversarial_losses import fooling_loss, gradient_penalties, real_scores_loss
from triptych.weights.safetensors_file import fill_module

PENALTY = 1e-6
"""Gradients of these small networks are small; their squares are about 1e-4."""


@pytest.fixture(scope="module")
def small(shared) -> SmallCNeRF:
    return SmallCNeRF(shared / "fixtures" / "cnerf_small")


def filled(small: SmallCNeRF, cls: type, name: str):
    """Return a discriminator of the fixture."""
    table = {int(size): width for size, width in small.sizes[f"{name}_channels"].items()}
    widths = tuple(table[size] for size in sorted(table, reverse=True))
    network = cls(DiscriminatorWidths(widths, small.sizes["n_render"]))
    state = load_file(small.folder / "discriminators.safetensors")
    own = {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
    fill_module(network, own, "the reference discriminators")
    return network


def pictures(small: SmallCNeRF) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = (small.inputs[f"disc/thumb_{name}"].clone() for name in ("images", "masks"))
    return images.requires_grad_(True), masks.requires_grad_(True)


def check_penalties(small: SmallCNeRF, name: str, scores, inputs) -> None:
    of_image, of_mask = gradient_penalties(scores, inputs)
    assert abs(float(of_image.detach()) - float(small.outputs[f"{name}/r1_img"])) < PENALTY
    assert abs(float(of_mask.detach()) - float(small.outputs[f"{name}/r1_seg"])) < PENALTY


def test_the_discriminator_of_the_volume(small):
    images, masks = pictures(small)
    scores, view = filled(small, VolumeDiscriminator, "vd")(images, masks)
    assert worst(scores.detach(), small.outputs["vd/score"]) < SCORED
    assert worst(view.detach(), small.outputs["vd/view"]) < SCORED
    loss = view_loss(view.detach(), small.inputs["disc/view_target"])
    assert abs(float(loss) - float(small.outputs["vd/view_loss_unweighted"])) < SCORED
    check_penalties(small, "vd", scores, (images, masks))


def test_the_discriminator_of_one_region(small):
    images, masks = pictures(small)
    mask = mask_of(masks, small.inputs["disc/labels"])
    scores, logits = filled(small, SemanticDiscriminator, "sd")(images, mask)
    assert worst(scores.detach(), small.outputs["sd/score"]) < SCORED
    assert worst(logits.detach(), small.outputs["sd/class_logits"]) < SCORED
    loss = F.cross_entropy(logits.detach(), small.inputs["disc/labels"].long())
    assert abs(float(loss) - float(small.outputs["sd/class_loss_g"])) < SCORED
    check_penalties(small, "sd", scores, (images, mask))


def test_the_discriminator_of_final_pictures(small):
    images, masks = (
        F.interpolate(tensor.detach(), size=small.sizes["size"]).requires_grad_(True)
        for tensor in pictures(small)
    )
    scores = filled(small, FullDiscriminator, "d")(images, masks)
    assert worst(scores.detach(), small.outputs["d/score"]) < SCORED
    loss = real_scores_loss(scores[:2], scores[2:]).detach()
    assert abs(float(loss) - float(small.outputs["d/logistic_loss"])) < SCORED
    fooled = fooling_loss(scores).detach()
    assert abs(float(fooled) - float(small.outputs["d/nonsat"])) < SCORED
    check_penalties(small, "d", scores, (images, masks))


def test_masks_of_the_data_set(small):
    classes = small.inputs["labels/label_map_19"].numpy()
    assert np.array_equal(region_masks(classes), small.outputs["labels/masks_9"].numpy())
    flipped = region_masks(classes[:, ::-1])
    expected = small.outputs["labels/masks_9_flipped"].numpy()
    assert np.array_equal(flipped, expected) or np.array_equal(
        region_masks(classes)[:, :, ::-1], expected
    )


def test_thumbnails_of_the_data_set(small):
    pixels = small.inputs["labels/image_u8"].numpy()
    expected = small.outputs["labels/thumb16_hamming"]
    picture = Image.fromarray(pixels).resize(expected.shape[1:], Image.Resampling.HAMMING)
    found = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 127.5 - 1
    assert worst(found, expected) < 1e-6
    flipped = torch.from_numpy(pixels[:, ::-1].copy()).permute(2, 0, 1) / 127.5 - 1
    assert worst(flipped, small.outputs["labels/image_flipped"]) < 1e-6


def test_the_mesh_of_a_frustum(small):
    aligned = frustum_in_box(small.inputs["mesh/sdf_frustum"])
    assert worst(aligned, small.outputs["mesh/aligned"]) < SCORED
    vertices, triangles = frustum_mesh(aligned)
    expected = small.outputs["mesh/vertices"].numpy()
    assert vertices.shape == expected.shape
    assert triangles.shape == tuple(small.outputs["mesh/faces"].shape)
    for one, other in ((vertices, expected), (expected, vertices)):
        assert cKDTree(one).query(other)[0].max() < 1e-6
