"""What the training of a 3DpSp encoder starts with: an encoder that fits, and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.errors import UserError
from triptych.metrics.lpips import LpipsStack
from triptych.metrics.metric_networks import NetworkOrigin
from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.placement import device_of
from triptych.photos.labelled_images import LabelledImages
from triptych.systems.invert.encoder import (
    PspConfig,
    PspEncoder,
    avatar_config,
    official_config,
)
from triptych.systems.invert.loading import load_encoder
from triptych.systems.invert.losses import InversionWeights
from triptych.systems.invert.training.targets import (
    AvatarTargets,
    MixedTargets,
    OwnTargets,
    PhotoTargets,
    SecondView,
    Target,
    TargetSource,
)
from triptych.training.head_views import ViewSettings


@dataclass(frozen=True)
class Options:
    """The generator, the pictures, the batch and the loss.

    Attributes:
        generator: A model's name or a weight file.
        start_from: Encoder weights (.safetensors) to begin with; fresh ones when None.
        init_seed: Seed of fresh weights.
        variant: "3dpsp", or "psp": one step, without reconstruction and camera, for comparison.
        quirks: "published" gives a fresh encoder, its mean picture and ArcFace's gates the quirks
            of the published code (see `systems.invert.encoder_config`); "corrected" does without.
        restyle_steps: Steps of the iteration.
        shards: Folder of avatar shards; None for none.
        test_shards: Folder of avatar shards of heads never trained on; None measures on the
            generator's own heads.
        photos: Folder of aligned photos with dataset.json; None for none.
        own_share: Share of targets that are the generator's own heads.
        own_heads: How many of those there are; each is rendered once, in about a second.
        photo_share: Share of photos.
        domain_randomisation: Share of targets with another background and light as input.
        yaw_range, pitch_range: Largest angles of the cameras of own heads, in radians.
        second_view: "true" compares with another known view of the head where there is one;
            "mirrored", as published, with the mirrored picture from the mirrored camera.
        batch: Targets per step, over all processes.
        steps_per_update: Steps of the iteration per optimiser step. The published scheme makes all
            of a target's steps in one update; with fewer, targets stay for several updates.
        stagger: Begin with targets at different steps.
        warm_up: Fraction of the budget that only regresses known style codes.
        latent: Weight of the squared error of known style codes, in units of their spread.
        weights: Weights of 3DpSp's own terms.
        views: How heads are rendered in training.
        half_precision: Compute in bfloat16 where that is faster.
        identity_every: Every so many updates the first view is a whole head, at which the identity
            term is measured; 0 for never. Generators with super-resolution render only whole heads.
        networks: Networks of the perceptual and the identity term; see `metrics.metric_networks`.
        metric_files: Folder of published weights; the usual one when None.
        lpips: Which published LPIPS.
        features: Embedded network (or a file) that stands in for either.
        device: Training device, as torch spells it.
    """

    generator: str = "avatar-generator"
    start_from: str | None = None
    init_seed: int = 0
    variant: Literal["3dpsp", "psp"] = "3dpsp"
    quirks: Literal["corrected", "published"] = "corrected"
    restyle_steps: int = 5
    shards: str | None = "runs/data/prior"
    test_shards: str | None = "runs/data/prior_test"
    photos: str | None = None
    own_share: float = 0.2
    own_heads: int = 200
    photo_share: float = 0.0
    domain_randomisation: float = 0.3
    yaw_range: float = 0.65
    pitch_range: float = 0.35
    second_view: SecondView = "true"
    batch: int = 8
    steps_per_update: int = 1
    stagger: bool = True
    warm_up: float = 0.25
    latent: float = 0.2
    weights: InversionWeights = InversionWeights()
    views: ViewSettings = ViewSettings()
    half_precision: bool = True
    identity_every: int = 8
    networks: NetworkOrigin = "auto"
    metric_files: str | None = None
    lpips: LpipsStack = "alexnet"
    features: str = "avatar-features"
    device: str = "cpu"


def published_options(generator: str, photos: str) -> Options:
    """Return 3DpSp's own training, quirks included.

    Its loop: Ranger at a constant rate, learning_rate=1e-4, betas=[0.95, 0.999], warmup_steps=0,
    final_rate=1, gradient_clip=1e9.

    Args:
        generator: An official generator.
        photos: Folder of aligned photos with dataset.json and conf_map.
    """
    return Options(
        generator=generator,
        quirks="published",
        shards=None,
        test_shards=None,
        photos=photos,
        own_share=0.0,
        photo_share=1.0,
        domain_randomisation=0.0,
        second_view="mirrored",
        batch=4,
        steps_per_update=5,
        stagger=False,
        warm_up=0.0,
        latent=0.0,
        weights=InversionWeights(mirrored_pairing="published"),
        half_precision=False,
    )


_NUM_LATENTS = 20_000
_LATENT_SEED = 123
_OFFICIAL_CODES = (14, 512)


def target_sources(
    options: Options, generator: TriPlaneGenerator, shards: ShardSet | None
) -> MixedTargets:
    """Return the pictures to train on, in the shares that the options give.

    Raises:
        UserError: There are none, or the shards are of another generator.
    """
    photos = LabelledImages(options.photos) if options.photos else None
    if options.photo_share and photos is None:
        raise UserError("photo_share needs a folder of photos: set photos=FOLDER")
    sources: list[tuple[TargetSource, float]] = []
    if shards is not None:
        avatars = AvatarTargets(shards, generator, options.second_view)
        sources.append((avatars, 1 - options.own_share - options.photo_share))
    if options.own_share:
        sources.append((_own(options, generator), options.own_share))
    if photos is not None:
        size = generator.config.image_size
        sources.append((PhotoTargets(photos, size), options.photo_share))
    background = generator.config.rendering.background
    return MixedTargets(
        sources, domain_randomisation=options.domain_randomisation, background=background
    )


def unseen_targets(options: Options, generator: TriPlaneGenerator, count: int) -> list[Target]:
    """Return targets never trained on: test avatars from the side, or the generator's own heads."""
    if options.test_shards is None:
        source = _own(options, generator)
        return [source.target(seed) for seed in range(count)]
    shards = ShardSet(options.test_shards)
    avatars = AvatarTargets(shards, generator, "true")
    view, other = 1 % shards.num_views, 2 % shards.num_views
    return [avatars.target(head, view, other) for head in range(min(count, len(shards)))]


def encoder_for(
    options: Options, generator: TriPlaneGenerator, shards: ShardSet | None
) -> PspEncoder:
    """Return the encoder to start with.

    A given one is kept if it makes this generator's codes by the variant asked for. Of others, a
    fresh encoder takes over the leading part of every parameter, and knows the generator's mean
    codes itself.
    """
    given = None
    if options.start_from is not None:
        given = load_encoder(options.start_from).requires_grad_(True)
        codes = (given.config.num_ws, given.config.w_dim)
        fits = codes == (generator.num_ws, generator.config.w_dim)
        if fits and given.config.sees_reconstruction == (options.variant == "3dpsp"):
            return given
    rng = torch.Generator().manual_seed(options.init_seed)
    encoder = PspEncoder(encoder_config_for(generator, options), rng=rng)
    if given is not None:
        _take_over(encoder, given)
    config = generator.config
    if config.latent_kind == "gaussian" or shards is None:
        latents = normal_latents(_NUM_LATENTS, config.z_dim, _LATENT_SEED)
    else:
        latents = torch.from_numpy(shards.all("attributes")).float()
    encoder.set_latent_statistics(*latent_statistics(generator, latents))
    return encoder


def encoder_config_for(generator: TriPlaneGenerator, options: Options) -> PspConfig:
    """Return the size that fits a generator, with or without the quirks of published weights.

    Raises:
        UserError: There is no such size.
    """
    w_dim, num_ws = generator.config.w_dim, generator.num_ws
    config = avatar_config(w_dim, num_ws)
    corrected = config
    if generator.config.superresolution is not None:
        if (num_ws, w_dim) != _OFFICIAL_CODES:
            raise UserError(
                f"{num_ws} style codes of {w_dim}: the published encoder makes 14 of 512; start "
                "from encoder weights of your own size instead"
            )
        config = official_config()
    render_size = None if generator.config.superresolution else config.restyle.render_size
    like = corrected if options.quirks == "corrected" else official_config()
    restyle = replace(like.restyle, render_size=render_size, num_steps=options.restyle_steps)
    config = replace(config, squeeze=like.squeeze, linear_rate=like.linear_rate, restyle=restyle)
    if options.variant == "3dpsp":
        return config
    return replace(config, image_channels=3, camera_code=0, restyle=replace(restyle, num_steps=1))


@torch.no_grad()
def _take_over(encoder: PspEncoder, given: PspEncoder) -> None:
    state = encoder.state_dict()
    for name, value in given.state_dict().items():
        if name in state and state[name].ndim == value.ndim:
            shared = tuple(map(slice, map(min, zip(value.shape, state[name].shape, strict=True))))
            state[name][shared] = value[shared]


def _own(options: Options, generator: TriPlaneGenerator) -> OwnTargets:
    return OwnTargets(
        generator,
        options.second_view,
        options.own_heads,
        options.yaw_range,
        options.pitch_range,
    )


_AT_ONCE = 4096
_SMALLEST_SPREAD = 1e-3


@torch.no_grad()
def latent_statistics(generator: TriPlaneGenerator, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of style codes, each [num_ws, w_dim].

    Args:
        generator: Models that are conditioned on cameras are given the frontal one.
        latents: Many latents [n, z_dim]; mapped in parts.
    """
    parts = latents.to(device_of(generator)).split(_AT_ONCE)
    codes = torch.cat([generator.mapping(part)[:, 0].cpu() for part in parts]).double()
    mean, std = codes.mean(dim=0), codes.std(dim=0).clamp(min=_SMALLEST_SPREAD)
    rows = (generator.num_ws, 1)
    return mean.float().repeat(*rows), std.float().repeat(*rows)


def normal_latents(count: int, z_dim: int, seed: int) -> Tensor:
    """Return latents [count, z_dim] of independent normal numbers."""
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(seed))
