"""How a picture is inverted: steps of the encoder, then refinement of codes or of the generator."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from triptych.config import check_fields
from triptych.errors import check_choice
from triptych.seeds import check_seed
from triptych.systems.invert.losses import InversionWeights
from triptych.training.head_views import ViewSettings

Refinement = Literal["none", "w", "w+", "pti"]
Schedule = Literal["short", "published"]
SCHEDULES: tuple[str, ...] = get_args(Schedule)

MOST_STEPS = 50


@dataclass(frozen=True)
class LatentSettings:
    """Fitting of the latent, for pictures that are unlike the encoder's training data.

    An encoder trained on heads of one kind predicts codes for photographs that the mapping network
    never makes, and the generator synthesizes smears from them. For such a picture the search
    starts again at the most similar of the generator's known heads; the codes are refined from
    there.

    Attributes:
        beyond: Perceptual distance after the encoder above which the latent is fitted. It is 0.1
            in the mean for unseen avatars, 0.4 to 0.7 for photographs. None never fits it.
        heads: How many of the known heads nearest to the encoder's codes are compared.
        steps: Optimiser steps from the most similar one. The codes get as many steps fewer.
        learning_rate: Adam's rate, in standard deviations of each entry over the heads.
        ramp_down: Share of the steps, the last, over which the rate falls to 0.
        keep: Weight of the mean squared move from that head, in such deviations.
    """

    beyond: float | None = 0.3
    heads: int = 40
    steps: int = 60
    learning_rate: float = 0.08
    ramp_down: float = 0.3
    keep: float = 0.15

    def __post_init__(self) -> None:
        check_fields(
            self,
            beyond=(0, math.inf),
            heads=(1, 1000),
            steps=(0, 100_000),
            learning_rate=(0, 100),
            ramp_down=(0, 1),
            keep=(0, 1e6),
        )


@dataclass(frozen=True)
class CodeSettings:
    """Optimisation of style codes through the frozen generator.

    Attributes:
        steps: Optimiser steps.
        learning_rate: Adam's rate between both ramps.
        unit: What the rate counts in: "one": codes as they are (published); "spread": the standard
            deviation of each code over the generator's heads.
        ramp_up: Share of the steps with a linearly growing rate.
        ramp_down: Share of the steps with a rate that falls as a cosine.
        noise: Noise added to codes at the first step, in standard deviations; falls to 0.
        noise_until: Share of the steps after which there is no noise.
        together: In W+, all layers' codes also move together; each alone (published) when off.
        keep: Weight of the mean squared move of a layer's code away from the move that all layers
            share, in units of their spread: it keeps the layers' codes consistent. 0 as published.
        prior: Weight of the Mahalanobis distance of codes from those of the mapping network, see
            `CodePrior`: shadows and wrinkles of photographs pull codes away from these. It is
            multiplied by the fourth power of the perceptual distance after the encoder, so that
            pictures unlike the training data are held most. 0 as published.
        from_one_code: W+ too starts from the mean of the encoder's codes; off starts from each.

    Reference:
        Karras et al., Analyzing and Improving the Image Quality of StyleGAN (2020), appendix D, as
        in PTI's and EG3D-projector's code.
    """

    steps: int = 100
    learning_rate: float = 0.06
    unit: Literal["spread", "one"] = "spread"
    ramp_up: float = 0.05
    ramp_down: float = 0.25
    noise: float = 0.0
    noise_until: float = 0.75
    together: bool = True
    keep: float = 0.5
    prior: float = 40.0
    from_one_code: bool = True

    def __post_init__(self) -> None:
        check_fields(
            self,
            steps=(0, 100_000),
            learning_rate=(0, 100),
            ramp_up=(0, 1),
            ramp_down=(0, 1),
            noise=(0, 100),
            noise_until=(0, 1),
            keep=(0, 1e6),
            prior=(0, 1e6),
        )


@dataclass(frozen=True)
class TuningSettings:
    """Pivotal tuning: the generator itself is fitted to the picture, the codes stay.

    Attributes:
        steps: Most optimiser steps.
        learning_rate: Adam's rate, constant.
        stop_below: Stop at this perceptual distance of the whole head.
        l2: Weight of the squared error.
        perceptual: Weight of the perceptual distance.
        empty_weight: Weight of the empty-space loss: density farther than `empty_margin` from the
            head of the pivot. One picture does not constrain what lies before and behind a head;
            see `render.empty_space`. 0 as published.
        empty_margin: That distance, in world units.
        empty_points: Points per step at which the density is measured.

    Reference:
        Roich et al., Pivotal Tuning for Latent-based Editing of Real Images (2021).
    """

    steps: int = 60
    learning_rate: float = 3e-4
    stop_below: float = 0.0
    l2: float = 1.0
    perceptual: float = 1.0
    empty_weight: float = 1.0
    empty_margin: float = 0.05
    empty_points: int = 2000

    def __post_init__(self) -> None:
        check_fields(
            self,
            steps=(0, 100_000),
            learning_rate=(0, 100),
            stop_below=(0, math.inf),
            l2=(0, 1e6),
            perceptual=(0, 1e6),
            empty_weight=(0, 1e6),
            empty_margin=(0, 10),
            empty_points=(1, 10_000_000),
        )


@dataclass(frozen=True)
class InvertSettings:
    """Everything that decides the result beside the picture and the models.

    Attributes:
        steps: Steps of the encoder; None takes as many as it was trained for.
        best_step: Continue from the step nearest to the picture; off takes the last one, as
            published. On pictures unlike its training data, later steps of the encoder can diverge.
        refine: "none"; "w": one style code for all slots; "w+": a code per slot; "pti": codes as in
            "w+", then the generator.
        plain_background: Composite the head on a plain background first, for models trained with
            one.
        refine_camera: Turn the camera until the picture fits better, and run the encoder again
            from there; the camera stays if that comes no nearer.
        camera_steps: Optimiser steps of that.
        mirror: The mirrored picture from the mirrored camera is a second view of the head.
        mirror_weight: How much it counts beside the picture itself.
        latent: Fitting through the latent before the codes are refined; not part of the published
            schedule.
        codes: Optimisation of style codes.
        tuning: Pivotal tuning.
        weights: Terms of the code optimisation; those of the second view are scaled by
            mirror_weight.
        views: How heads are rendered while fitting.
        whole_every: Every so many steps the whole head is rendered instead of a patch.
        seed: Seed of all draws.
    """

    steps: int | None = None
    best_step: bool = True
    refine: Refinement = "w+"
    plain_background: bool = True
    refine_camera: bool = False
    camera_steps: int = 25
    mirror: bool = True
    mirror_weight: float = 0.2
    latent: LatentSettings = LatentSettings()
    codes: CodeSettings = CodeSettings()
    tuning: TuningSettings = TuningSettings()
    weights: InversionWeights = InversionWeights()
    views: ViewSettings = ViewSettings(patch=48, strides=(1, 2))
    whole_every: int = 2
    seed: int = 0

    @property
    def compares_mirror_image(self) -> bool:
        """Whether the mirrored picture is a second view."""
        return self.mirror and self.mirror_weight > 0

    def __post_init__(self) -> None:
        check_fields(
            self,
            steps=(1, MOST_STEPS),
            camera_steps=(1, 1000),
            mirror_weight=(0, 10),
            whole_every=(1, 1000),
        )
        check_seed("InvertSettings.seed", self.seed)


def schedule(name: str) -> InvertSettings:
    """Return the settings of a schedule.

    Args:
        name: "short", made for the embedded models and a processor, or "published": the steps and
            rates of PTI with EG3D-projector's W projection (minutes to hours).

    Raises:
        UserError: There is no such schedule.
    """
    check_choice("schedule", name, SCHEDULES)
    if name == "short":
        return InvertSettings()
    return InvertSettings(
        best_step=False,
        latent=LatentSettings(beyond=None),
        codes=PUBLISHED_CODES,
        tuning=PUBLISHED_TUNING,
    )


PUBLISHED_CODES = CodeSettings(
    steps=500,
    learning_rate=0.01,
    unit="one",
    noise=0.05,
    together=False,
    keep=0.0,
    prior=0.0,
    from_one_code=False,
)
PUBLISHED_TUNING = TuningSettings(steps=350, stop_below=0.06, empty_weight=0.0)


def mirrored_weights(settings: InvertSettings) -> InversionWeights:
    """Return the weights with those of the second view scaled by mirror_weight."""
    weights, scale = settings.weights, settings.mirror_weight
    return dataclasses.replace(
        weights,
        second_l2=scale * weights.second_l2,
        second_identity=scale * weights.second_identity,
        second_perceptual=scale * weights.second_perceptual,
    )
