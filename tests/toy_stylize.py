"""A whole stylize pipeline in miniature: 32 pixels, random weights, an editor that recolours."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from toy_portraits import wider_config

from triptych.editors.image_editor import EditorConfig, EditRequest
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.latents import latent_from_seed
from triptych.ops.resize import resize_bilinear
from triptych.portrait import TriPlanePortrait
from triptych.systems.stylize.image_to_triplane import ImageToTriplane, ImageToTriplaneConfig
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.systems.stylize.settings import StylizeSettings

TINY_NETWORK = ImageToTriplaneConfig(
    image_size=32,
    plane_size=32,
    plane_channels=4,
    code_size=8,
    code_channels=8,
    encoder_channels=(8, 8, 8),
    decoder_channels=(16, 16, 16),
    modulation_hidden=8,
)
TINY_SETTINGS = StylizeSettings(
    num_yaw=4,
    num_pitch=3,
    yaw_range=math.radians(20),
    pitch_range=math.radians(15),
    edit_batch=4,
    steps=60,
    batch_views=4,
    patch=16,
    strides=(1, 2),
    learning_rate=5e-3,
    perceptual_weight=0.0,
    held_out_fraction=0.2,
    evaluate_every=10,
    patience=50,
    ema_decay=0.9,
    mixed_precision=False,
)


def swap_channels(images: Tensor) -> Tensor:
    """Recolour pictures in a way that any field can follow: blue for red and darker."""
    return images.flip(1) * 0.8 - 0.2


@dataclass
class RecolouringEditor:
    """An `ImageEditor` whose only style is a colour transform; it counts what it was asked."""

    change: Callable[[Tensor], Tensor] = swap_channels
    config: EditorConfig = field(default_factory=EditorConfig)
    name: str = "recolouring"
    edited: int = 0
    seeds: set[int] = field(default_factory=set)

    def check(self, request: EditRequest) -> None:
        """Accept every prompt."""

    def notes_for(self, request: EditRequest) -> list[str]:
        prompt = request.prompt
        return [] if "blue" in prompt else [f"unknown words: {prompt}"]

    def edit(self, images: Tensor, request: EditRequest, *, progress: object = None) -> Tensor:
        self.edited += len(images)
        self.seeds.add(request.seed)
        return self.change(images)


def toy_head_generator() -> TriPlaneGenerator:
    """Return a random generator whose heads are blobs in the middle of the box."""
    generator = TriPlaneGenerator(wider_config())
    return generator.eval().requires_grad_(False)


def resized_head(head: TriPlanePortrait, side: int) -> TriPlanePortrait:
    """Return about the same head with planes and pictures of another size."""
    backbone = dataclasses.replace(head.config.backbone, plane_size=side)
    return dataclasses.replace(
        head,
        planes=resize_bilinear(head.planes[0], side, antialias=True)[None],
        config=dataclasses.replace(
            head.config, backbone=backbone, image_size=side, render_size=side
        ),
    )


def toy_image_to_triplane(generator: TriPlaneGenerator) -> ImageToTriplane:
    """Return a network as if pre-trained: for any picture it returns about the planes of head 3."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        network = ImageToTriplane(TINY_NETWORK)
        z = latent_from_seed(3, ATTRIBUTE_DIM, "attributes")
        planes = generator.planes(generator.mapping(z))[0]
        network.set_plane_statistics(planes, planes.std((2, 3), keepdim=True))
    return network.eval()


def toy_pipeline() -> StylizePipeline:
    """Return a pipeline of its own; it keeps its state after every step of fitting."""
    generator = toy_head_generator()
    network = toy_image_to_triplane(generator)
    return StylizePipeline(
        generator,
        network,
        RecolouringEditor(),
        name="tiny",
        hashes={"generator": "1" * 64},
        seconds_between_checkpoints=0.0,
    )
