"""What the training of a 3DpSp encoder starts with: an encoder that fits, and pictures."""

from __future__ import annotations

from dataclasses import replace

import torch

from triptych.avatars.sets.shards import ShardSet
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.photos.labelled_images import LabelledImages
from triptych.systems.invert.encoder import (
    PspConfig,
    PspEncoder,
    avatar_config,
    official_config,
)
from triptych.systems.invert.latent_statistics import latent_statistics, normal_latents
from triptych.systems.invert.recipe_options import Options
from triptych.systems.invert.recipe_targets import (
    AvatarTargets,
    MixedTargets,
    OwnTargets,
    PhotoTargets,
    Target,
    TargetSource,
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
        from triptych.systems.invert.checks import load_encoder

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
