"""A generator that was converted from a checkpoint is stylised like any other."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from eg3d_pickles import eg3d_pickle, tiny_eg3d

from triptych.errors import UserError
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.weights.conversion import open_checkpoint, save_converted


@pytest.fixture
def converted(tmp_path):
    """The file of a converted toy checkpoint."""
    (tmp_path / "faces.pkl").write_bytes(eg3d_pickle(tiny_eg3d()))
    save_converted(open_checkpoint(tmp_path / "faces.pkl"), tmp_path / "faces.safetensors")
    return tmp_path / "faces.safetensors"


def test_its_own_codes_are_tuned_to_the_edited_views(converted, editor, settings, toy_portrait):
    pipeline = StylizePipeline.from_pretrained(converted, editor=editor)
    assert pipeline.image_to_triplane is None
    assert set(pipeline.hashes) == {"features", "generator"}
    few = dataclasses.replace(settings, num_yaw=2, num_pitch=2, steps=4, evaluate_every=2)
    result = pipeline("blue", identity=3, settings=few)
    assert result.report["settings"]["use_i2t"] == "none"
    assert result.original.config == tiny_eg3d().config
    assert result.portrait.planes.shape == (1, 3, 4, 16, 16)
    assert not torch.equal(result.portrait.planes, result.original.planes)
    with pytest.raises(UserError, match="the generator of '.*' makes .1, 3, 4, 16, 16."):
        pipeline("blue", identity=toy_portrait, settings=few)


def test_a_checkpoint_that_was_not_converted_says_so(converted, editor):
    with pytest.raises(UserError, match="a Python pickle; .* convert it first: triptych convert"):
        StylizePipeline.from_pretrained(converted.with_suffix(".pkl"), editor=editor)
