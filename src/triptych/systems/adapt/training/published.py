"""PStyle-3D's training: a generator and a style encoder learn one domain of artworks.

One artwork and one head per step: the head in the artwork's style is compared with the artwork
(style), with the unstyled head (content, identity) and judged by a discriminator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from triptych.camera import Camera, random_views
from triptych.config import check_fields, from_dict, to_dict
from triptych.errors import UserError
from triptych.metrics.identity import ArcFaceIdentity
from triptych.metrics.metric_networks import (
    ARCFACE_FILE,
    NetworkOrigin,
    find_metric_networks,
    metric_networks_folder,
)
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.ops.resize import resize_bilinear
from triptych.photos.labelled_images import LabelledImages
from triptych.systems.adapt.generator import (
    ModRes,
    RGBGain,
    StyledGenerator,
    StyledGeneratorConfig,
)
from triptych.systems.adapt.losses import (
    DENSITY_NOISE,
    GradientPenalty,
    IdentityCrop,
    StyleLossWeights,
    content_loss,
    density_loss,
    discriminator_loss,
    face_crop,
    gradient_penalty,
    identity_loss,
    style_losses,
)
from triptych.systems.adapt.normalised_vgg import TAPS, NormalisedVGG
from triptych.systems.adapt.style_encoder import StyleEncoder, StyleEncoderConfig
from triptych.training.adversarial_losses import fooling_loss
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.parameter_groups import ParameterGroup
from triptych.training.sheets import save_sheet
from triptych.weights import load_discriminator, load_features, load_generator, read_tensors
from triptych.weights.safetensors_file import save_module

LOOP = LoopConfig(
    learning_rate=1e-5,
    betas=(0.9, 0.999),
    final_rate=1.0,
    warmup_steps=1,
    gradient_clip=1e9,
    ema_decay=0.0,
)
WRITES_FOLDER = True
VGG_FILE = "vgg_normalised.pth"
_POINTS = 1000
_SHOWN = 4
_YAWS = (-0.4, 0.0, 0.4)


@dataclass(frozen=True)
class Options:
    """Data, networks, choices of the released code and loss weights; the published ones.

    Attributes:
        generator: The plain generator: a model's name or a weight file. It stays as the source of
            contents; a copy with styles learns.
        pictures: Folder of artworks in EG3D's format: square, with their cameras.
        discriminator: EG3D's discriminator (.safetensors), from which the published training
            starts; None begins with a new one.
        modres, rgb_gain: See `StyledGeneratorConfig`.
        start: "published": style affines start at random. "unstyled": heads start as they are.
        encoder: Sizes of the style encoder that differ from the published ones, by name.
        batch_norm: "train": the encoder's batch norms use the statistics of each picture, as the
            released code leaves them; "eval": the running averages.
        identity_crop: See `losses.face_crop`; only for ArcFace.
        r1_form: See `losses.gradient_penalty`.
        weights: Of the loss terms.
        adversarial_from: Step from which the discriminator is trained and listened to.
        yaw, pitch: Ranges of the cameras, radians around the front.
        truncation_psi: Of the heads.
        discriminator_base, discriminator_group: Of a new one; see `DiscriminatorConfig`.
        networks: Networks of the style and the identity term: public files in the folder of
            metric networks, or the embedded networks that stand in for them.
        device: Training device, as torch spells it.
    """

    generator: str = "avatar-generator"
    pictures: str = "runs/data/artworks"
    discriminator: str | None = None
    modres: ModRes = "double"
    rgb_gain: RGBGain = "twice"
    start: Literal["published", "unstyled"] = "published"
    encoder: dict[str, Any] = field(default_factory=dict)
    batch_norm: Literal["train", "eval"] = "train"
    identity_crop: IdentityCrop = "published"
    r1_form: GradientPenalty = "published"
    weights: StyleLossWeights = field(default_factory=StyleLossWeights)
    adversarial_from: int = 0
    yaw: float = 0.4
    pitch: float = 0.2
    truncation_psi: float = 1.0
    discriminator_base: int = 32768
    discriminator_group: int = 4
    networks: NetworkOrigin = "auto"
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(
            self,
            adversarial_from=(0, 2**40),
            yaw=(0.0, 1.0),
            pitch=(0.0, 1.0),
            truncation_psi=(0.0, 1.5),
        )


def build(options: Options) -> PublishedRecipe:
    """Build the recipe with new networks round a given generator."""
    return PublishedRecipe(options)


def export(recipe: PublishedRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write generator.safetensors and style-encoder.safetensors into a folder, in fp16."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    provenance = {
        "recipe": recipe.name,
        "steps": result.step,
        "pictures": len(recipe.pictures),
        "generator": recipe.options.generator,
    }
    for name, file in (("generator", "generator"), ("encoder", "style-encoder")):
        module: Any = result.averaged[name]
        save_module(
            folder / f"{file}.safetensors",
            module,
            dtype=torch.float16,
            provenance=provenance,
            metrics=result.metrics,
        )


class PublishedRecipe:
    """A styled generator, its style encoder and a discriminator, trained together."""

    name = "adapt"

    def __init__(self, options: Options) -> None:
        self.options, self.pictures = options, LabelledImages(options.pictures)
        self.source = load_generator(options.generator, options.device).requires_grad_(False)
        self.generator = _styled(self.source, options).to(options.device)
        self.encoder = _encoder(self.generator, options).to(options.device)
        self.encoder.train(options.batch_norm == "train")
        self.discriminator = _discriminator(self.generator, options).to(options.device)
        self.modules: Modules = {
            "generator": self.generator,
            "encoder": self.encoder,
            "discriminator": self.discriminator,
        }
        self.taps = _taps(options)
        self.identity = find_metric_networks(options.networks).to(options.device).identity

    def groups(self) -> list[ParameterGroup]:
        """Return the generator's planes and super-resolution, the encoder and the discriminator."""
        return [
            ParameterGroup(self._learning()),
            ParameterGroup(list(self.encoder.parameters()), betas=(0.0, 0.999)),
            ParameterGroup(list(self.discriminator.parameters()), betas=(0.0, 0.99)),
        ]

    def _learning(self) -> list[nn.Parameter]:
        parts: list[nn.Module] = [self.generator.backbone.synthesis]
        if self.generator.config.superresolution is not None:
            parts.append(self.generator.superresolution)
        return [parameter for part in parts for parameter in part.parameters()]

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options = self.options
        index = int(torch.randint(len(self.pictures), (), generator=generator))
        artwork, label = self._artwork(index), self.pictures.camera[index].to(options.device)
        seed = int(torch.randint(10_000, 100_000, (), generator=generator))
        ws, camera = self._head(seed), self._camera(generator)
        with torch.no_grad():
            source = self.source.render(
                self.source.planes(ws), ws, camera, generator=generator
            ).image
        edits = self.generator.edits(self.encoder(artwork))
        planes = self.generator.planes(ws, modulation="activations", edits=edits)
        pred = self.generator.render(
            planes, ws, camera, generator=generator, modulation="activations", edits=edits
        )
        terms = self._terms(pred.image, source, artwork)
        terms["density"] = density_loss(self._densities(planes, generator))
        learning = torch.zeros((), device=planes.device)
        if options.weights.adversarial and progress.step >= options.adversarial_from:
            made = pred.image, pred.image_raw
            terms["adversarial"], learning = self._adversarial(made, camera, artwork, label)
        loss = options.weights.generator_total(terms) + learning
        return loss, {name: float(t.detach()) for name, t in (terms | {"d": learning}).items()}

    def _terms(self, image: Tensor, source: Tensor, artwork: Tensor) -> dict[str, Tensor]:
        """Return content, style and identity terms, each []."""
        maps = self.taps(image)
        with torch.no_grad():
            reference, wanted = self.taps(source), self.taps(artwork)
            person = self._person(source)
        return {
            "content": content_loss(maps, reference),
            "style": torch.stack(list(style_losses(maps, wanted).values())).sum(),
            "identity": identity_loss(self._person(image), person),
        }

    def _densities(self, planes: Tensor, generator: torch.Generator) -> Tensor:
        """Return raw densities [1, 2 n, 1] of points in [-1, 1]^3 and of near ones.

        The released code synthesizes the planes once more for them, with other noise.
        """
        points = torch.rand(1, _POINTS, 3, generator=generator) * 2 - 1
        near = points + DENSITY_NOISE * torch.randn(points.shape, generator=generator)
        return self.generator.field(planes).geometry(torch.cat([points, near], dim=1).to(planes))

    def _adversarial(
        self, made: tuple[Tensor, Tensor], camera: Camera, artwork: Tensor, label: Camera
    ) -> tuple[Tensor, Tensor]:
        """Return the generator's loss [] and the discriminator's [], descended in one step.

        Each reaches its own network only. The released code lets the discriminator go first.
        """
        options, size = self.options, made[1].shape[-1]
        self.discriminator.requires_grad_(False)
        fooling = fooling_loss(self.discriminator(*made, camera.label25()))
        self.discriminator.requires_grad_(True)
        shown = resize_bilinear(artwork, self.generator.config.image_size, antialias=True)
        penalty, real = gradient_penalty(
            self.discriminator, shown, label.label25(), raw_size=size, form=options.r1_form
        )
        fake = self.discriminator(*(part.detach() for part in made), camera.label25())
        return fooling, discriminator_loss(real, fake, penalty, options.weights).mean()

    def _person(self, image: Tensor) -> Tensor:
        """Return unit features of who a picture shows, of the crop that the options name."""
        if isinstance(self.identity, ArcFaceIdentity):
            return self.identity.network(face_crop(image, self.options.identity_crop))
        return self.identity.embed(image)

    def _artwork(self, index: int) -> Tensor:
        """Return an artwork [1, 3, s, s] at the style encoder's size."""
        size = self.encoder.config.image_size
        picture = self.pictures.image(index)[None].to(self.options.device)
        return resize_bilinear(picture, size, antialias=True)

    def _head(self, seed: int) -> Tensor:
        psi = self.options.truncation_psi
        with torch.no_grad():
            return self.source.mapping(self.source.latent(seed), truncation_psi=psi)

    def _camera(self, generator: torch.Generator) -> Camera:
        yaw, pitch = self.options.yaw, self.options.pitch
        return random_views(1, (-yaw, yaw), (-pitch, pitch), generator).to(self.options.device)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        found = [
            self._terms(rows[2][None], rows[1][None], artwork)
            for artwork, rows in self._compared(averaged, (0.0,))
        ]
        return {
            name: round(float(torch.stack([terms[name] for terms in found]).mean()), 4)
            for name in ("content", "style", "identity")
        }

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        rows = [row.cpu() for _, row in self._compared(averaged, _YAWS)]
        save_sheet(rows, path, ("artwork", "source", *(f"yaw {yaw:g}" for yaw in _YAWS)))

    def _compared(
        self, averaged: Mapping[str, Any], yaws: tuple[float, ...]
    ) -> list[tuple[Tensor, Tensor]]:
        """Return artworks [1, 3, s, s], each with pictures [2 + yaws, 3, h, w] of a head."""
        generator, size = averaged["generator"], self.generator.config.image_size
        encoder = averaged["encoder"].eval()
        found = []
        for index in range(min(_SHOWN, len(self.pictures))):
            artwork, ws = self._artwork(index), self._head(index)
            edits = generator.edits(encoder(artwork))
            planes = generator.planes(ws, edits=edits)
            views = [self.source.config.view.camera(yaw).to(planes.device) for yaw in yaws]
            front = self.source.config.view.camera(0.0).to(planes.device)
            source = self.source.render(self.source.planes(ws), ws, front).image
            styled = [generator.render(planes, ws, view, edits=edits).image for view in views]
            shown = resize_bilinear(artwork, size, antialias=True)
            found.append((artwork, torch.cat([shown, source, *styled])))
        encoder.train(self.options.batch_norm == "train")
        return found


def _styled(source: Any, options: Options) -> StyledGenerator:
    """Return a copy of a generator with styles, of which planes and super-resolution learn."""
    config = StyledGeneratorConfig.around(
        source.config, modres=options.modres, rgb_gain=options.rgb_gain
    )
    styled = StyledGenerator(config)
    if options.start == "unstyled":
        if options.modres == "double" or options.rgb_gain == "twice":
            raise UserError(
                "start 'unstyled' needs modres 'off' or 'residual' and rgb_gain 'once': the "
                "released forms change every head"
            )
        styled.load_state_dict(StyledGenerator.around(source).state_dict(), strict=False)
    styled.load_state_dict(source.state_dict(), strict=False)
    styled.requires_grad_(False).train()
    styled.backbone.synthesis.requires_grad_(True)
    if config.superresolution is not None:
        styled.superresolution.requires_grad_(True)
    return styled


def _encoder(generator: StyledGenerator, options: Options) -> StyleEncoder:
    """Return a new style encoder for a generator's codes, from ArcFace where its file is there."""
    fitting = {"w_dim": generator.config.w_dim, **options.encoder}
    config = from_dict(StyleEncoderConfig, {**to_dict(StyleEncoderConfig()), **fitting})
    if config.num_ws != generator.num_ws:
        raise UserError(
            f"encoder: got heads {list(config.heads)}, {config.num_ws} rows; the generator takes "
            f"{generator.num_ws}: give three counts that add up to it"
        )
    encoder = StyleEncoder(config)
    file = metric_networks_folder(None) / ARCFACE_FILE
    published = StyleEncoderConfig()
    if file.is_file() and (config.widths, config.units) == (published.widths, published.units):
        encoder.start_from_arcface(read_tensors(file))
    return encoder


def _discriminator(generator: StyledGenerator, options: Options) -> DualDiscriminator:
    """Return the given discriminator, or a new one of the generator's pictures."""
    size = generator.config.image_size
    if options.discriminator is not None:
        found = load_discriminator(options.discriminator)
        if found.config.image_size != size:
            raise UserError(
                f"{options.discriminator} sees pictures of {found.config.image_size} pixels; the "
                f"generator makes {size}"
            )
        return found.train().requires_grad_(True)
    if size & (size - 1):
        raise UserError(f"pictures of {size} pixels have no discriminator; expected a power of two")
    config = DiscriminatorConfig(image_size=size, conv_clamp=None)
    return DualDiscriminator(
        dataclasses.replace(
            config, channel_base=options.discriminator_base, group_size=options.discriminator_group
        )
    )


def _taps(options: Options) -> Callable[[Tensor], Mapping[str, Tensor]]:
    """Return what gives the four taps of a picture: AdaIN's VGG, or the embedded features."""
    file = metric_networks_folder(None) / VGG_FILE
    if options.networks != "embedded" and file.is_file():
        vgg = NormalisedVGG()
        vgg.load_public(read_tensors(file))
        return vgg.to(options.device).requires_grad_(False).eval().taps
    if options.networks == "published":
        raise UserError(f"there is no {file}; see docs/training.md")
    features = load_features("avatar-features", options.device).requires_grad_(False)

    def embedded(image: Tensor) -> dict[str, Tensor]:
        return dict(zip(TAPS, features(image).values(), strict=False))

    return embedded
