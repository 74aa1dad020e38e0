"""What the encoder is shown between its steps, on the fast path."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.synthesis_layers import NoiseMode
from triptych.ops.precision import RenderPath
from triptych.systems.invert.preview import preview_image
from triptych.systems.invert.restyle import GeneratorSynthesis, mean_noise


@dataclass(frozen=True)
class FastSynthesis:
    """A `systems.invert.restyle.Synthesis` without gradients.

    Attributes:
        generator: The generator.
        render_size: Side at which rays are cast; None takes the configured one. Generators with a
            super-resolution head that are asked for another side are rendered exactly.
        path: See `Portrait.render`.
    """

    generator: TriPlaneGenerator
    render_size: int | None = None
    path: RenderPath = "fast"

    def __call__(self, ws: Tensor, camera: Camera, noise_mode: NoiseMode = "const") -> Tensor:
        """Return pictures [b, 3, h, w] of style codes [b, k, d] from b cameras."""
        upsamples = self.generator.config.superresolution is not None
        if upsamples and self.render_size is not None:
            return GeneratorSynthesis(self.generator, self.render_size)(ws, camera, noise_mode)
        looks = [
            preview_image(
                self.generator,
                ws[index : index + 1],
                camera[index],
                render_size=self.render_size,
                path=self.path,
                noise_mode=noise_mode,
                rng=mean_noise() if noise_mode == "random" else None,
            )
            for index in range(len(camera))
        ]
        return torch.cat(looks)
