"""What the training of a 3DpSp encoder can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from triptych.metrics.lpips import LpipsStack
from triptych.metrics.metric_networks import NetworkOrigin
from triptych.systems.invert.head_views import ViewSettings
from triptych.systems.invert.losses import InversionWeights
from triptych.systems.invert.recipe_targets import SecondView


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
        disguise: Share of targets that the encoder sees before another background, in other light.
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
            term looks; 0 for never. Generators with super-resolution always render whole heads.
        judges: Networks of the perceptual and the identity term; see `metrics.metric_networks`.
        judge_files: Folder of published weights; the usual one when None.
        lpips: Which published LPIPS.
        features: Embedded network (or a file) that stands in for either.
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
