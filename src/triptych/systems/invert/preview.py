"""One picture of style codes that nobody looks at again, as iterative encoders need it."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.fast_synthesis import synthesize_planes
from triptych.nn.synthesis_layers import NoiseMode
from triptych.ops.precision import RenderPath
from triptych.portrait.fast_renderer import FastRenderer
from triptych.render.rays import camera_rays
from triptych.render.rendering import rendering_of


@torch.no_grad()
def preview_image(
    generator: TriPlaneGenerator,
    ws: Tensor,
    camera: Camera,
    *,
    render_size: int | None = None,
    path: RenderPath = "fast",
    noise_mode: NoiseMode = "const",
    rng: torch.Generator | None = None,
) -> Tensor:
    """Return the picture [1, 3, h, w] of style codes from one camera.

    A `Portrait` is made to be looked at often: it keeps copies of what it needs and knows where it
    is empty. For a single look that costs more than it saves.

    Args:
        generator: The generator.
        ws: Style codes [1, num_ws, w_dim].
        camera: One camera.
        render_size: Side at which rays are cast; None takes the configured one, and so do
            generators with a super-resolution head.
        path: See `Portrait.render`; "exact" is the generator's own `synthesis`.
        noise_mode: Noise maps of the planes; see `synthesize_planes`.
        rng: Source of random noise.
    """
    planes = synthesize_planes(generator, ws, path, noise_mode=noise_mode, rng=rng)
    if path == "exact":
        return generator.render(planes, ws, camera, render_size=render_size).image
    config = generator.config
    head = generator.superresolution if config.superresolution else None
    size = config.render_size if head is not None or render_size is None else render_size
    renderer = FastRenderer(generator.field(planes), config.rendering, ws, head)
    seen = rendering_of(renderer.cast(camera_rays(camera, size), only_once=True), size)
    return seen.image if head is None else renderer.upsample(seen.features, path)
