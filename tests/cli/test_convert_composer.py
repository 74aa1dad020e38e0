"""CNeRF's checkpoint, converted, makes portraits."""

from __future__ import annotations

import pytest
import torch
from cnerf_checkpoints import checkpoint_of

from triptych.portrait import Portrait


@pytest.mark.thorough
def test_a_converted_checkpoint_composes(run, tmp_path, quick_results):
    torch.save(checkpoint_of(), tmp_path / "final_model.pt")
    refused = run("convert", "final_model.pt", "composer.safetensors")
    assert refused.code == 2
    assert "it comes under the licence of CNeRF" in refused.complaint
    assert not (tmp_path / "composer.safetensors").exists()
    converted = run("convert", "final_model.pt", "composer.safetensors", "--accept-licence")
    assert (converted.code, converted.err) == (0, "")
    assert "checkpoint  stage 2: whole generator" in converted.out
    assert "remark      region 3 is taken for the mouth" in converted.out
    words = ("--seeds", 3, "--region", "hair=7", "--truncation", "published", "--size", 16)
    composed = run("compose", *words, "--model", "composer.safetensors", "--out", "mix")
    assert composed.code == 0, composed.err
    portrait = Portrait.load(tmp_path / "mix" / "portrait.safetensors")
    assert portrait.render(size=32).regions.shape == (1, 9, 32, 32)
