"""Live3D's training: pictures of a frozen generator's heads become that generator's planes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from triptych.config import check_fields, from_dict, to_dict
from triptych.errors import UserError
from triptych.metrics.image_metrics import psnr
from triptych.metrics.metric_networks import NetworkOrigin
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.ops.resize import resize_bilinear
from triptych.systems.edit.encoder_config import (
    TriplaneEncoderConfig,
    live3d_encoder,
    live3d_light_encoder,
)
from triptych.systems.edit.losses import DistillationWeights, live3d_weights
from triptych.systems.edit.network import PortraitEncoder, PortraitEncoderConfig
from triptych.systems.edit.training.adversary import BETAS, RATE, adversarial_terms
from triptych.systems.edit.training.cameras import CameraRange, random_camera, repeated
from triptych.systems.edit.training.distillation import (
    Head,
    distilled,
    metric_networks,
    share_of,
)
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.parameter_groups import ParameterGroup
from triptych.training.sheets import save_sheet
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_generator

LOOP = LoopConfig(
    learning_rate=2e-5,
    betas=(0.9, 0.999),
    weight_decay=0.01,
    final_rate=1.0,
    warmup_steps=1,
    gradient_clip=1e9,
    ema_decay=0.0,
    shared_draws=True,
)
_RENDERER_RATE = 1e-5
_FIRST_TRAINING_SEED, _TRAINING_SEEDS, _FIRST_TEST_SEED = 100_000, 2**30, 9_000
_PUBLISHED_REACH = CameraRange(yaw_deg=13.0, pitch_deg=18.0)
_INTENDED_REACH = CameraRange(yaw_deg=24.5, pitch_deg=13.0)


@dataclass(frozen=True)
class Options:
    """Generator, sizes, batch and loss weights.

    Attributes:
        generator: The frozen generator: a model's name or a weight file.
        preset: "published": cameras as the published code draws them, which takes the range of the
            pitch for the yaw and that of the yaw for the pitch. "corrected": as it says.
        layout: Live3D's light network, of which 3DPE is made, or its larger one.
        encoder: Sizes that differ from the published ones, by name.
        start_from: Weights (.safetensors) to begin with; new ones when None.
        batch: Heads per step, over all processes.
        weights: Of the loss terms.
        adversarial_from: Step from which the discriminator is trained and listened to.
        discriminator_base, discriminator_group: See `DiscriminatorConfig`.
        networks: Networks of the perceptual and the identity term; see `metrics.metric_networks`.
        features: Embedded network that stands in for LPIPS.
        device: Training device, as torch spells it.
    """

    generator: str = "avatar-generator"
    preset: Literal["published", "corrected"] = "corrected"
    layout: Literal["LT", "Normal"] = "LT"
    encoder: dict[str, Any] = field(default_factory=dict)
    start_from: str | None = None
    batch: int = 4
    weights: DistillationWeights = field(default_factory=live3d_weights)
    adversarial_from: int = 0
    discriminator_base: int = 32768
    discriminator_group: int = 4
    networks: NetworkOrigin = "auto"
    features: str = "avatar-features"
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(self, batch=(1, 4096), adversarial_from=(0, 2**40))


def build(options: Options) -> Live3DRecipe:
    """Build the recipe with a fresh or given network."""
    return Live3DRecipe(options)


def export(recipe: Live3DRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write encoder and renderer as a self-describing fp16 weight file."""
    save_trained(recipe, result, "network", out, generator=recipe.options.generator)


class Live3DRecipe:
    """Distillation of a generator's heads into a `PortraitEncoder` without a prompt."""

    name = "live3d"

    def __init__(self, options: Options) -> None:
        from triptych.weights.loading import load_network

        self.options = options
        self.generator = load_generator(options.generator, options.device)
        if options.start_from is None:
            network = new_network(self.generator, options)
        else:
            network = load_network(options.start_from, "portrait-encoder")
        self.network = network.to(options.device).train().requires_grad_(True)
        self.discriminator = new_discriminator(self.network, options).to(options.device)
        self.modules: Modules = {"network": self.network, "discriminator": self.discriminator}
        self.networks = metric_networks(options.device, options.networks, options.features)
        reach = _PUBLISHED_REACH if options.preset == "published" else _INTENDED_REACH
        self.random_camera = partial(random_camera, reach, self.network.config.rendering.view)

    def groups(self) -> list[ParameterGroup]:
        """Return encoder, renderer and discriminator at their rates."""
        return [
            ParameterGroup(list(self.network.encoder.parameters())),
            ParameterGroup(
                list(self.network.renderer.parameters()), _RENDERER_RATE / LOOP.learning_rate
            ),
            discriminator_group(self.discriminator, LOOP.learning_rate),
        ]

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options = self.options
        drawn = torch.randint(_TRAINING_SEEDS, (options.batch,), generator=generator)
        cameras = self.random_camera(generator), self.random_camera(generator)
        seeds = share_of(drawn, progress.process, progress.num_processes)
        teacher = self._teacher(seeds + _FIRST_TRAINING_SEED)
        first = repeated(cameras[0], len(seeds)).to(options.device)
        with torch.no_grad():
            photo = teacher.render(first).image
        planes = self.network.encoder(self._as_photo(photo))
        terms, pred, target = distilled(
            Head(planes, partial(self.network.render, planes)),
            teacher,
            (first, cameras[1]),
            seeds,
            (self.network.config.rendering.render_size**2, self.network.config.rendering.rendering),
            options.weights,
            self.networks,
        )
        loss = options.weights.total(terms)
        if progress.step >= options.adversarial_from and options.weights.adversarial:
            terms["adversarial"], learning = adversarial_terms(
                self.discriminator,
                (pred.image, pred.image_raw),
                (target.image, target.image_raw),
                first,
                options.weights.r1,
            )
            loss = options.weights.total(terms) + learning
            terms["discriminator"] = learning
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def _teacher(self, seeds: Tensor) -> Head:
        """Return the generator's heads of some seeds."""
        model = self.generator
        with torch.no_grad():
            ws = model.mapping(torch.cat([model.latent(seed) for seed in seeds.tolist()]))
            planes = model.planes(ws)
        return Head(planes, partial(model.render, planes, ws))

    def _as_photo(self, picture: Tensor) -> Tensor:
        return resize_bilinear(picture, self.network.config.encoder.image_size, antialias=True)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        rows = self._compare(averaged["network"], heads=4)
        return {"psnr": round(float(psnr(rows[:, 1], rows[:, 0]).mean()), 3)}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        rows = self._compare(averaged["network"], heads=4)
        save_sheet(list(rows), path, ("photo", "front", "true side", "side"))

    def _compare(self, network: Any, heads: int) -> Tensor:
        """Return pictures [heads, 4, 3, h, w]: photo, its render, a true side and its render."""
        view, device = network.config.rendering.view, self.options.device
        front, side = (view.camera(yaw).to(device) for yaw in (0.0, 0.4))
        rows = []
        for seed in range(_FIRST_TEST_SEED, _FIRST_TEST_SEED + heads):
            teacher = self._teacher(torch.tensor([seed]))
            photo = teacher.render(front).image
            planes = network.encoder(self._as_photo(photo))
            pictures = (
                photo,
                network.render(planes, front).image,
                teacher.render(side).image,
                network.render(planes, side).image,
            )
            rows.append(torch.cat(pictures))
        return torch.stack(rows).cpu()


def new_network(generator: TriPlaneGenerator, options: Options) -> PortraitEncoder:
    """Return a new encoder for a generator's planes, whose renderer starts as the generator's."""
    backbone = generator.config.backbone
    base = live3d_light_encoder() if options.layout == "LT" else live3d_encoder()
    fitting = {
        "image_size": 2 * backbone.plane_size,
        "plane_channels": backbone.plane_channels,
        **options.encoder,
    }
    encoder = from_dict(TriplaneEncoderConfig, {**to_dict(base), **fitting})
    network = PortraitEncoder(PortraitEncoderConfig(encoder, generator.config))
    network.renderer.decoder.load_state_dict(generator.decoder.state_dict())
    if network.renderer.superresolution is not None:
        network.renderer.superresolution.load_state_dict(generator.superresolution.state_dict())
    return network


def new_discriminator(network: PortraitEncoder, options: Any) -> DualDiscriminator:
    """Return a new conditional dual discriminator of a network's pictures."""
    size = network.config.rendering.image_size
    if size & (size - 1):
        raise UserError(f"pictures of {size} pixels have no discriminator; expected a power of two")
    return DualDiscriminator(
        replace(
            DiscriminatorConfig(image_size=size, conv_clamp=None),
            channel_base=options.discriminator_base,
            group_size=options.discriminator_group,
        )
    )


def discriminator_group(discriminator: DualDiscriminator, rate: float) -> ParameterGroup:
    """Return a discriminator at its own rate, without weight decay."""
    return ParameterGroup(list(discriminator.parameters()), RATE / rate, BETAS, weight_decay=0.0)
