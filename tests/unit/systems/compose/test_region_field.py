"""The field of regions: what adds up, what gates, what is cut out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from toy_compose import TINY, tiny_region_generator

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.systems.compose.depth_mesh import check_two_signed, depth_grid_mesh
from triptych.systems.compose.discriminators import (
    DiscriminatorWidths,
    SemanticDiscriminator,
    VolumeDiscriminator,
    mask_of,
)
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import RegionGeneratorConfig
from triptych.systems.compose.region_masks import dilated, region_masks, remapped
from triptych.systems.compose.region_rays import spread, stratified
from triptych.systems.compose.regions import PUBLISHED_ORDER, region_indices
from triptych.systems.compose.style_codes import (
    Means,
    MixDraws,
    decoder_code,
    mixed_codes,
    mixed_decoder_codes,
    volume_code,
)
from triptych.weights.tensor_fit import shapes_of


@pytest.fixture(scope="module")
def generator():
    return tiny_region_generator()


@pytest.fixture(scope="module")
def codes(generator):
    z = torch.randn(1, TINY.num_codes, TINY.style_dim, generator=torch.Generator().manual_seed(1))
    return generator.mapping(z)


@pytest.fixture(scope="module")
def points():
    rng = torch.Generator().manual_seed(2)
    return (torch.rand(1, 200, 3, generator=rng) * 2 - 1) * TINY.half_box


def test_a_new_generator_has_the_published_size():
    """Numbers of parameters that the published code prints at its defaults."""
    counts: Counter[str] = Counter()
    shapes = shapes_of(lambda: RegionGenerator(RegionGeneratorConfig()))
    for name, shape in shapes.items():
        if "kernel" not in name and "noises" not in name:  # buffers
            counts[name.partition(".")[0]] += torch.Size(shape).numel()
    assert counts == {
        "style": 197_376,
        "renderer": 4_130_641,
        "feature_transfer": 295_168,
        "decoder": 6_504_439,
    }
    assert len(shapes) == 489


def test_regions_are_independent(codes, points):
    """The codes of one region change its own mask and its part of the distance alone."""
    generator = tiny_region_generator(replace(TINY, membership="raw"))
    field = generator.field(codes)
    other = codes.clone()
    other[:, 2 * 7 : 2 * 7 + 2] += 1
    before, after = field.query(points), generator.field(other).query(points)
    changed = (before.regions != after.regions).any(dim=1)[0]
    assert changed.tolist() == [index == 7 for index in range(9)]
    assert not torch.equal(before.geometry, after.geometry)


def test_distance_alone_is_that_of_a_query(generator, codes, points):
    field = generator.field(codes)
    assert torch.allclose(field.geometry(points), field.query(points).geometry, atol=1e-6)


def test_softmax_membership_adds_up_to_one(generator, codes, points):
    regions = generator.field(codes).query(points).regions
    assert float(regions.min()) >= 0
    assert torch.allclose(regions.sum(dim=-1), torch.ones(()), atol=1e-5)


def test_a_cut_keeps_the_surface_of_its_regions_alone(generator, codes, points):
    field = generator.field(codes)
    whole = field.query(points)
    cut = replace(field, only=(0, 3, 7)).query(points)
    share = whole.regions[..., [0, 3, 7]].sum(dim=-1, keepdim=True)
    assert torch.equal(
        cut.geometry[share < 0.5] > 0, torch.ones_like(cut.geometry[share < 0.5]) > 0
    )
    inside = (share > 0.5) & (whole.geometry > (0.5 - share) * 2 * TINY.half_box)
    assert torch.equal(cut.geometry[inside], whole.geometry[inside])
    assert torch.equal(replace(field, only=(0, 3, 7)).geometry(points), cut.geometry)


def test_static_directions_turn_with_the_camera(generator, codes, points):
    camera = look_at_camera(0.4, 0.1, target=(0.0, 0.0, 0.0))
    field = generator.field(codes).seen_from(camera)
    ahead = camera.forward[:, None].expand_as(points)
    seen = field.seen_directions(points, ahead)
    assert torch.allclose(seen, torch.tensor([0.0, 0.0, -1.0]), atol=1e-6)
    real = replace(TINY, sampling=replace(TINY.sampling, directions="real"))
    assert torch.equal(replace(field, config=real).seen_directions(points, ahead), ahead)
    nowhere = generator.field(codes).seen_directions(points, None)
    assert torch.equal(nowhere, torch.tensor([0.0, 0.0, -1.0]).expand_as(points))


def test_spacing_by_hand():
    near, far = torch.full((1, 1, 1), 1.0), torch.full((1, 1, 1), 2.0)
    assert spread(near, far, 4, "offset", None).flatten().tolist() == [1, 1.25, 1.5, 1.75]
    moved = spread(near, far, 4, "offset", torch.full((1, 1, 1), 0.5))
    assert moved.flatten().tolist() == [1.125, 1.375, 1.625, 1.875]
    even = spread(near, far, 3, "stratified", None)
    assert even.flatten().tolist() == [1, 1.5, 2]
    halves = stratified(even, torch.full((1, 1, 3), 0.5))
    assert halves.flatten().tolist() == [1.125, 1.5, 1.875]


def test_truncation_by_hand(generator):
    w = torch.full((1, TINY.style_dim), 3.0)
    means = Means(torch.ones(1, TINY.style_dim), torch.zeros(1, 16))
    assert volume_code(w, means, 0.5, "single")[0, 0] == 2.0
    assert volume_code(w, means, 0.5, "published")[0, 0] == 1.5
    assert torch.equal(volume_code(w, means, 1.0, "published"), w)
    half = decoder_code(generator, w, means, 0.5)
    assert torch.allclose(half, generator.decoder_codes(torch.full_like(w, 2.0)) / 2)


def test_mixing_by_hand():
    first, second = torch.zeros(1, 2), torch.ones(1, 2)
    codes = mixed_codes(first, second, torch.tensor([[0, 1, 2]]))
    assert codes[0, :, 0].tolist() == [0, 0, 0, 1, 1, 1]
    layers = mixed_decoder_codes(first, second, 5, 2)
    assert layers[0, :, 0].tolist() == [0, 0, 1, 1, 1]
    draws = MixDraws.random(4, 9, 8, torch.Generator().manual_seed(0))
    assert draws.regions.shape == (4, 9)
    assert set(draws.regions.unique().tolist()) <= {0, 1, 2}
    assert 1 <= draws.crossover <= 7


def test_means_are_the_same_each_time(generator):
    one, other = generator.mean_codes(), generator.mean_codes()
    assert torch.equal(one[0], other[0])
    assert one[0].shape == (1, TINY.style_dim)
    assert one[1].shape == (1, 16)


@pytest.mark.parametrize("batch", [1, 2, 6, 8])
def test_discriminators_take_any_batch(batch):
    """The published ones fail where four does not divide the batch."""
    images, masks = torch.rand(batch, 3, 16, 16), torch.rand(batch, 9, 16, 16)
    scores, view = VolumeDiscriminator(DiscriminatorWidths((4, 4, 4, 4)))(images, masks)
    assert (scores.shape, view.shape) == ((batch, 1), (batch, 2))
    mask = mask_of(masks, torch.arange(batch) % 9)
    scores, logits = SemanticDiscriminator(DiscriminatorWidths((4, 4, 4)))(images, mask)
    assert (scores.shape, logits.shape) == ((batch, 1), (batch, 9))


def test_masks_by_hand():
    classes = torch.zeros(8, 8, dtype=torch.uint8).numpy()
    classes[4, 4] = 2  # nose, widened by a square of 3
    masks = region_masks(classes)
    assert masks.shape == (9, 8, 8)
    assert masks[PUBLISHED_ORDER.index("nose")].sum() == 9
    assert masks[0].sum() == 63, "the background is not widened, and regions overlap"
    even = dilated(masks[1] * 0 + (classes == 2), 4)
    rows, columns = even.nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 6, 3, 6)
    scaled = region_masks(classes, scaled=True)
    assert scaled[PUBLISHED_ORDER.index("nose")].sum() == 1


def test_foreign_classes_are_refused():
    classes = torch.full((4, 4), 30, dtype=torch.uint8).numpy()
    with pytest.raises(UserError, match="got 30, which belongs to no region"):
        region_masks(classes)
    with pytest.raises(UserError, match="got 30; expected one of"):
        remapped(classes, {0: 1})
    assert (remapped(classes, {30: 2}) == 2).all()


def test_region_names():
    assert region_indices(("hair", "eyes"), PUBLISHED_ORDER, "only") == (2, 7)
    with pytest.raises(UserError, match="unknown region 'hiar'; .*did you mean 'hair'"):
        region_indices(("hiar",), PUBLISHED_ORDER, "only")
    with pytest.raises(UserError, match="only: got no region"):
        region_indices((), PUBLISHED_ORDER, "only")
    with pytest.raises(UserError, match="region 'hair' is given twice"):
        region_indices(("hair", "hair"), PUBLISHED_ORDER, "only")


def test_a_distance_of_one_sign_has_no_mesh():
    with pytest.raises(UserError, match=r"one sign \(from 0.1 to 2: all of it is outside"):
        check_two_signed(0.1, 2.0)
    with pytest.raises(UserError, match="all of it is inside"):
        check_two_signed(-2.0, -1.0)


def test_a_grid_of_pixels_has_two_triangles_for_each_square():
    rows, columns = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="ij")
    vertices, triangles = depth_grid_mesh(torch.stack([columns, -rows, torch.zeros(3, 4)]))
    assert vertices.shape == (12, 3)
    assert triangles.shape == (2 * 2 * 3, 3)
    corners = vertices[triangles]
    edges = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = edges[0][:, 0] * edges[1][:, 1] - edges[0][:, 1] * edges[1][:, 0]
    assert (areas == 1).all(), "every triangle faces the camera and has half a pixel"
