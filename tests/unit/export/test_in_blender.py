"""A textured glb in Blender, where `bpy` is installed: pip install "bpy>=5" (370 MB)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.export.texture import save_textured_mesh, textured_mesh
from triptych.metrics.image_metrics import psnr
from triptych.systems.generate.pipeline import GeneratePipeline

SIZE = 256


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed")
def test_blender_shows_the_head_as_it_is_rendered(tmp_path):
    portrait = GeneratePipeline.from_pretrained()(seed=7)
    save_textured_mesh(tmp_path / "a.glb", textured_mesh(portrait))
    camera = portrait.orbit(0.5, 0.1)
    numbers = [float(camera.intrinsics[0, 0, 0]), *camera.cam2world.flatten().tolist()]
    program, picture = Path(__file__).with_name("blender_render.py"), tmp_path / "a.png"
    words = [str(tmp_path / "a.glb"), str(picture), str(SIZE), *map(str, numbers)]
    done = subprocess.run([sys.executable, str(program), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = torch.from_numpy(np.array(Image.open(picture))).float() / 255
    colour, alpha = seen[..., :3] * 2 - 1, seen[..., 3:]
    over = alpha * colour + (1 - alpha) * portrait.rendering.background
    image = over.permute(2, 0, 1)[None]
    assert float(psnr(image, portrait.render(camera, SIZE).image)) > 24
