"""Algorithm 1: the views, their edits, and going on after a cut."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from triptych.camera import frontal_camera
from triptych.editors.image_editor import EditRequest
from triptych.errors import UserError
from triptych.files import read_json
from triptych.progress import no_progress
from triptych.systems.stylize.views import cameras_of, edit_views, render_originals


@pytest.fixture
def head(pipeline):
    return pipeline.subject(3)


@pytest.fixture
def originals(head, settings, tmp_path):
    return render_originals(head, settings, tmp_path, no_progress)


def _edit(originals, editor, settings, tmp_path, matting=None):
    request = EditRequest("blue", 5)
    folder = tmp_path / "views"
    record = request.record()
    return edit_views(originals, editor, request, settings, folder, record, no_progress, matting)


def test_front_is_first_and_exact_beside_the_grid(head, settings):
    cameras = cameras_of(head, dataclasses.replace(settings, num_yaw=10, num_pitch=10))
    assert len(cameras) == 101
    torch.testing.assert_close(cameras.cam2world[:1], frontal_camera().cam2world)
    assert cameras[1:].yaw.abs().min() > 0.01
    yaw, pitch = cameras.yaw, cameras.pitch
    assert float(yaw.max()) == pytest.approx(settings.yaw_range, abs=1e-5)
    assert float(pitch.max()) == pytest.approx(settings.pitch_range, abs=1e-5)
    torch.testing.assert_close(yaw[1:11], yaw[11:21], atol=1e-5, rtol=0)


def test_originals_are_what_the_portrait_shows(head, originals):
    shown = head.render(originals.cameras[4])
    assert (shown.image - originals.images[4]).abs().max() <= 0.5 / 127.5 + 1e-6
    torch.testing.assert_close(shown.depth, originals.depth[4:5])


def test_originals_of_an_earlier_run_are_read_back(head, originals, settings, tmp_path):
    stages = []
    again = render_originals(head, settings, tmp_path, lambda *event: stages.append(event))
    assert stages == [("rendering views", 13, 13)]
    assert torch.equal(again.images, originals.images)
    assert torch.equal(again.depth, originals.depth)


def test_every_view_is_edited_with_one_seed(originals, editor, settings, tmp_path):
    views = _edit(originals, editor, settings, tmp_path)
    assert editor.edited == 13
    assert editor.seeds == {5}
    target = editor.change(originals.images).clamp(-1, 1)
    assert (views.images - target).abs().max() <= 0.5 / 127.5 + 1e-6
    assert torch.equal(views.front, views.images[:1])


def test_record_names_cameras_prompt_and_seed(originals, editor, settings, tmp_path):
    _edit(originals, editor, settings, tmp_path)
    record = read_json(tmp_path / "views" / "views.json")
    assert record["prompt"] == "blue"
    assert record["seed"] == 5
    assert len(record["views"]) == 13
    assert record["views"][0]["file"] == "view_000.png"
    torch.testing.assert_close(
        torch.tensor(record["views"][7]["camera"]), originals.cameras[7].label25()[0]
    )


def test_finished_batches_are_not_edited_again(originals, editor, settings, tmp_path):
    first = _edit(originals, editor, settings, tmp_path)
    (tmp_path / "views" / "view_005.png").unlink()
    editor.edited = 0
    again = _edit(originals, editor, settings, tmp_path)
    assert editor.edited == settings.edit_batch
    assert torch.equal(again.images, first.images)


def test_broken_picture_is_named(originals, editor, settings, tmp_path):
    _edit(originals, editor, settings, tmp_path)
    (tmp_path / "views" / "view_005.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="view_005.png .* remove it and run again"):
        _edit(originals, editor, settings, tmp_path)


def test_outlier_is_dropped(originals, editor, settings, tmp_path):
    odd = originals.images[6]

    def break_one(images):
        changed = editor.change(images)
        is_odd = (images == odd).flatten(1).all(1)
        return torch.where(is_odd[:, None, None, None], torch.ones_like(changed), changed)

    editor_with_accident = dataclasses.replace(editor, change=break_one)
    views = _edit(originals, editor_with_accident, settings, tmp_path)
    assert views.dropped == [6]


class _TopIsHead:
    """Takes the upper half of pictures for the head, and what it is told for sure."""

    def on_plain_background(self, images, surely):
        assert surely.shape == (len(images), 1, 32, 32)
        head = surely.clone()
        head[..., :16, :] = 1.0
        return head * images + (1 - head) * 0.5


@pytest.mark.parametrize("plain", [True, False])
def test_what_the_editor_leaves_behind_the_head_is_laid_aside(
    originals, editor, settings, tmp_path, plain
):
    settings = dataclasses.replace(settings, plain_background=plain)
    left = torch.zeros_like(originals.alpha)
    left[..., :12] = 1.0
    originals = dataclasses.replace(originals, alpha=left)
    views = _edit(originals, editor, settings, tmp_path, _TopIsHead())
    edited = editor.change(originals.images)
    assert (views.images[..., :16, :] - edited[..., :16, :]).abs().max() < 0.005
    alpha = left[..., 16:, :] if plain else torch.ones(1)
    expected = alpha * edited[..., 16:, :] + (1 - alpha) * 0.5
    assert (views.images[..., 16:, :] - expected).abs().max() < 0.005
