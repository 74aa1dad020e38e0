"""ReStyle: an encoder applied several times, each time with its reconstruction so far as input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from triptych.camera import Camera, look_at_camera
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.fast_synthesis import synthesize_planes
from triptych.nn.synthesis_layers import NoiseMode
from triptych.ops.precision import RenderPath
from triptych.ops.resize import fit_size
from triptych.portrait.fast_renderer import FastRenderer
from triptych.render.rays import camera_rays
from triptych.render.rendering import rendering_of
from triptych.systems.invert.encoder import PspEncoder

_MEAN_NOISE_SEED = 0


class Synthesis(Protocol):
    """Style codes to pictures; the encoder does not know what generator is behind it."""

    def __call__(self, ws: Tensor, camera: Camera, noise_mode: NoiseMode = "const") -> Tensor:
        """Return pictures [b, 3, h, w] of style codes [b, k, d] from b cameras."""


@dataclass(frozen=True)
class GeneratorSynthesis:
    """A tri-plane generator as a `Synthesis`.

    Attributes:
        generator: The generator.
        render_size: Side at which rays are cast; None takes the configured one.
    """

    generator: TriPlaneGenerator
    render_size: int | None = None

    def __call__(self, ws: Tensor, camera: Camera, noise_mode: NoiseMode = "const") -> Tensor:
        """Return pictures [b, 3, h, w]; random noise maps come from a fixed seed."""
        rng = mean_noise() if noise_mode == "random" else None
        planes = self.generator.planes(ws, noise_mode=noise_mode, generator=rng)
        return self.generator.render(planes, ws, camera, render_size=self.render_size).image


def mean_noise() -> torch.Generator:
    """Return the source of the mean portrait's random noise maps: always the same ones."""
    return torch.Generator().manual_seed(_MEAN_NOISE_SEED)


@dataclass(frozen=True)
class RestyleStep:
    """The result of one step.

    Attributes:
        ws: Style codes [b, num_ws, w_dim].
        image: Their pictures [b, 3, h, w] from the cameras of the targets.
    """

    ws: Tensor
    image: Tensor


def mean_picture(encoder: PspEncoder, synthesis: Synthesis, camera: Camera) -> Tensor:
    """Return the first reconstruction [v or 1, 3, s, s]: the mean portrait at the encoder's size.

    Args:
        encoder: Its configuration says from where the mean portrait is seen.
        synthesis: The generator.
        camera: Cameras of the targets.
    """
    config = encoder.config.restyle
    if config.mean_view == "target":
        views = camera
    else:
        views = look_at_camera(0.0, 0.0, focal=config.mean_focal).to(camera.cam2world.device)
    ws = encoder.latent_mean.expand(len(views), -1, -1)
    picture = synthesis(ws, views, noise_mode=config.mean_noise)
    return fit_size(picture, encoder.config.image_size)


def restyle(
    encoder: PspEncoder,
    synthesis: Synthesis,
    target: Tensor,
    camera: Camera,
    *,
    num_steps: int | None = None,
) -> list[RestyleStep]:
    """Return the results of all steps of `restyle_steps`."""
    return list(restyle_steps(encoder, synthesis, target, camera, num_steps=num_steps))


@torch.no_grad()
def restyle_steps(
    encoder: PspEncoder,
    synthesis: Synthesis,
    target: Tensor,
    camera: Camera,
    *,
    num_steps: int | None = None,
) -> Iterator[RestyleStep]:
    """Find the style codes of pictures in a few steps, starting from the mean portrait.

    Nothing flows back through the iteration: each step takes the pictures and codes of the one
    before as they are.

    Args:
        encoder: The encoder, in evaluation mode.
        synthesis: The generator it was trained for.
        target: Pictures [b, 3, h, w] in [-1, 1].
        camera: The camera of each.
        num_steps: How many steps; None takes as many as the encoder was trained for.

    Yields:
        The result of each step.

    Raises:
        UserError: There is not one camera per picture, or no step is asked for.

    Reference:
        Alaluf et al., ReStyle (2021), Eq. 3 and 4.
    """
    steps = encoder.config.restyle.num_steps if num_steps is None else num_steps
    if steps < 1:
        raise UserError(f"ReStyle steps: got {steps}; expected at least 1")
    if len(camera) != len(target):
        raise UserError(f"got {len(camera)} cameras for {len(target)} pictures; expected as many")
    size = encoder.config.image_size
    small = fit_size(target, size)
    ws = encoder.latent_mean.expand(len(target), -1, -1)
    sees = encoder.config.sees_reconstruction
    seen = mean_picture(encoder, synthesis, camera) if sees else None
    for _ in range(steps):
        ws = ws + encoder(small, seen, camera)
        image = synthesis(ws, camera)
        yield RestyleStep(ws, image)
        seen = fit_size(image, size) if sees else None


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

    A `Portrait` is rendered often: it keeps copies of its networks and an occupancy grid. For a
    single picture that costs more than it saves.

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
        images = [
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
        return torch.cat(images)
