"""Algorithm 2: what is fitted, what is only looked at, stopping, and every source of planes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_stylize import resized_head

from triptych.editors.image_editor import EditRequest
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.ops.resize import resize_bilinear
from triptych.portrait import TriPlanePortrait
from triptych.progress import no_progress
from triptych.systems.stylize.fitting import Fitting, fit, split_views
from triptych.systems.stylize.plane_source import (
    ModulatedGenerator,
    PlaneLevels,
    trainable_plane_source,
)
from triptych.systems.stylize.rendered_batch import SurfaceMemory, ViewRenderer
from triptych.systems.stylize.views import EditedViews, edit_views, render_originals
from triptych.weights.safetensors_file import FileHeader, save_tensors


def _edited(head: TriPlanePortrait, editor, settings, tmp_path) -> EditedViews:
    originals = render_originals(head, settings, tmp_path, no_progress)
    request = EditRequest("blue")
    return edit_views(originals, editor, request, settings, tmp_path / "views", {}, no_progress)


@pytest.fixture
def head(pipeline) -> TriPlanePortrait:
    return pipeline.subject(3)


@pytest.fixture
def views(head, editor, settings, tmp_path) -> EditedViews:
    return _edited(head, editor, settings, tmp_path)


def _fit(head, views, settings, pipeline, tmp_path, **changes):
    settings = dataclasses.replace(settings, **changes)
    source = trainable_plane_source(
        settings.use_i2t, pipeline.image_to_triplane, pipeline.generator, head.ws, 0
    )
    return fit(
        source,
        head,
        views,
        settings,
        perceptual=None,
        seed=0,
        checkpoint=tmp_path / "fitting.safetensors",
        progress=no_progress,
    )


def test_front_is_always_fitted_and_no_view_is_both(views):
    for seed in range(5):
        fitted, held_out = split_views(views, 0.3, seed)
        assert 0 in fitted
        assert len(held_out) == 4
        assert sorted(torch.cat([fitted, held_out]).tolist()) == list(range(13))


def test_dropped_views_are_in_neither_part(views):
    kept = views.kept.clone()
    kept[4] = False
    fitted, held_out = split_views(dataclasses.replace(views, kept=kept), 0.3, 0)
    assert 4 not in torch.cat([fitted, held_out])


@pytest.mark.parametrize("side", [16, 32, 64])
def test_fitting_starts_at_a_head_with_planes_of_any_size(
    side, head, editor, settings, pipeline, tmp_path
):
    sized = resized_head(head, side)
    views = _edited(sized, editor, settings, tmp_path)
    network = pipeline.image_to_triplane
    source = trainable_plane_source("full", network, pipeline.generator, head.ws, 0)
    fitting = Fitting(source, sized, views, settings, None, 0)
    # The answer to the edited front less that to the front before it is all that is added.
    with torch.no_grad():
        moved = network(views.front) - network(views.originals.images[:1])
        expected = sized.planes + resize_bilinear(moved[0], side, antialias=True)
    torch.testing.assert_close(fitting.averaged_planes(), expected)


def test_nothing_held_out(head, views, settings, pipeline, tmp_path):
    fitted, held_out = split_views(views, 0.0, 0)
    assert len(fitted) == 13
    assert len(held_out) == 0
    result = _fit(head, views, settings, pipeline, tmp_path, held_out_fraction=0.0, steps=3)
    assert result.curve == ()
    assert result.planes.shape == head.planes.shape


@pytest.mark.parametrize("kind", ["full", "vector", "no_pretraining", "none"])
def test_every_source_of_planes_moves_towards_the_edits(
    kind, head, views, settings, pipeline, tmp_path
):
    before = {name: t.clone() for name, t in head.decoder.state_dict().items()}
    result = _fit(
        head, views, settings, pipeline, tmp_path, use_i2t=kind, steps=40, learning_rate=2e-2
    )
    # Unfitted, the pretrained sources are as far from the edits as the original head is.
    original = (views.originals.images - views.images).abs().mean()
    best = min(variant.l1 for variant in result.curve)
    assert best < 0.75 * original
    for name, tensor in head.decoder.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_pretrained_network_is_copied_not_changed(head, views, settings, pipeline, tmp_path):
    before = {n: t.clone() for n, t in pipeline.image_to_triplane.state_dict().items()}
    _fit(head, views, settings, pipeline, tmp_path, steps=3)
    for name, tensor in pipeline.image_to_triplane.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_modulated_generator_starts_as_the_generator(head, pipeline):
    source = ModulatedGenerator(pipeline.generator, head.ws)
    torch.testing.assert_close(source(torch.zeros(1, 3, 32, 32)), head.planes)
    names = {name for name, _ in source.named_parameters()}
    assert names == {"style_scale", "style_shift", "plane_scale", "plane_shift"}


def test_levels_add_up_to_planes_of_the_heads_size():
    levels = PlaneLevels(torch.zeros(1, 3, 2, 16, 16))
    assert [tuple(level.shape) for level in levels.levels] == [
        (3, 2, side, side) for side in (2, 4, 8, 16)
    ]
    image = torch.zeros(1, 3, 32, 32)
    assert not levels(image).any(), "the fitting starts at the head itself"
    with torch.no_grad():
        levels.levels[0].fill_(1e-3)
        levels.levels[3][0, 0, 5, 6] = 1e-3
    planes = levels(image)
    assert planes.shape == (1, 3, 2, 16, 16)
    torch.testing.assert_close(planes[0, 1, 1], torch.full((16, 16), 2.4))
    assert planes[0, 0, 0, 5, 6].item() == pytest.approx(3.2)


def test_fresh_network_has_neither_weights_nor_statistics_of_the_prior(head, pipeline):
    source = trainable_plane_source(
        "no_pretraining", pipeline.image_to_triplane, pipeline.generator, head.ws, 0
    )
    assert source.plane_mean.abs().max() == 0
    assert source(torch.rand(1, 3, 32, 32)).std() > 0.1


def test_stops_when_held_out_views_stop_improving(head, views, settings, pipeline, tmp_path):
    # A vanishing rate improves nothing, so the second look is the last.
    result = _fit(
        head, views, settings, pipeline, tmp_path,
        learning_rate=1e-8, evaluate_every=2, patience=1, steps=50,
    )  # fmt: skip
    assert result.stopped_early
    assert result.steps < 20


def test_result_is_the_best_look_not_the_last(head, views, settings, pipeline):
    # A rate far too high improves nothing after the first steps.
    settings = dataclasses.replace(
        settings, steps=12, evaluate_every=1, learning_rate=0.5, warmup_steps=8
    )
    source = trainable_plane_source(
        "full", pipeline.image_to_triplane, pipeline.generator, head.ws, 0
    )
    fitting = Fitting(source, head, views, settings, None, 0)
    planes = []
    while not fitting.finished:
        fitting.advance()
        planes.append(fitting.averaged_planes())
    losses = [variant.loss for variant in fitting.curve]
    best = losses.index(min(losses))
    assert best < len(losses) - 1
    assert torch.equal(fitting.best, planes[best])


def test_super_resolution_is_fitted_through_whole_views(editor, settings, pipeline, tmp_path):
    config = dataclasses.replace(
        pipeline.generator.config,
        image_size=128,
        render_size=64,
        superresolution=SuperResolutionConfig(kind="2X"),
        decoder=dataclasses.replace(pipeline.generator.config.decoder, num_features=32),
    )
    generator = TriPlaneGenerator(config).eval().requires_grad_(False)
    with torch.no_grad():
        head = TriPlanePortrait.from_generator(generator, pipeline.subject(3).ws)
    settings = dataclasses.replace(settings, num_yaw=1, num_pitch=1, batch_views=1)
    views = _edited(head, editor, settings, tmp_path)
    before = {name: t.clone() for name, t in head.superresolution.state_dict().items()}
    result = _fit(
        head, views, settings, pipeline, tmp_path,
        use_i2t="none", steps=2, evaluate_every=1, held_out_fraction=0.0,
    )  # fmt: skip
    assert result.planes.shape == head.planes.shape
    assert not torch.equal(result.planes, head.planes)
    for name, tensor in head.superresolution.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("kind", ["full", "vector", "none"])
def test_anchored_fitting_starts_at_the_head_when_nothing_is_edited(
    head, views, settings, pipeline, kind
):
    unedited = dataclasses.replace(views, images=views.originals.images)
    head = dataclasses.replace(head, planes=head.planes + 0.1)  # nothing the network could guess
    for anchor, begins_at_the_head in (("head", True), ("none", False)):
        changed = dataclasses.replace(settings, use_i2t=kind, anchor=anchor)
        source = trainable_plane_source(
            kind, pipeline.image_to_triplane, pipeline.generator, head.ws, 0
        )
        fitting = Fitting(source, head, unedited, changed, None, 0)
        assert torch.allclose(fitting.averaged_planes(), head.planes, atol=1e-4) == (
            begins_at_the_head
        )


def test_validation_changes_nothing_that_the_fitting_sees(head, views, settings, pipeline):
    source = trainable_plane_source(
        "full", pipeline.image_to_triplane, pipeline.generator, head.ws, 0
    )
    fitting = Fitting(source, head, views, settings, None, 0)
    draws, depth = fitting.generator.get_state(), fitting.surface.depth.clone()
    fitting._validate()
    assert torch.equal(fitting.generator.get_state(), draws)
    assert torch.equal(fitting.surface.depth[fitting.fitted], depth[fitting.fitted])
    assert len(fitting.curve) == 1


def test_rendering_a_batch_leaves_the_surfaces_as_they_are(head, views, settings):
    renderer = ViewRenderer(head, views, settings)
    surface = SurfaceMemory(views.originals.depth, views.originals.alpha)
    before = surface.depth.clone()
    batch = renderer.batch(
        head.planes + 0.1, torch.tensor([2, 5]), surface, torch.Generator().manual_seed(0)
    )
    assert torch.equal(surface.depth, before)
    assert batch.pred.shape == batch.target.shape == (2, 3, 16, 16)
    rendered = batch.target.flatten(2)
    chosen = renderer.target[batch.views].flatten(2)
    assert torch.equal(rendered, chosen.gather(2, batch.pixels[:, None].expand(-1, 3, -1)))


@pytest.mark.parametrize("config", [{}, {"step": None}, {"step": []}, {"step": 1}])
def test_a_saved_state_of_something_else_is_refused(
    head, views, settings, pipeline, tmp_path, config
):
    header = FileHeader("StylizeFitting", config)
    save_tensors(tmp_path / "fitting.safetensors", {"best": torch.zeros(1)}, header)
    with pytest.raises(UserError, match="does not belong to this fitting"):
        _fit(head, views, settings, pipeline, tmp_path, steps=2)
