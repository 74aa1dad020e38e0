"""Settings of views, edits and fitting; three presets trade time for quality."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from triptych.config import check_fields, from_dict, to_dict
from triptych.errors import UserError, check_choice

Quality = Literal["draft", "standard", "high"]
PlaneSource = Literal["full", "vector", "no_pretraining", "none", "levels"]


@dataclass(frozen=True)
class StylizeSettings:
    """Everything that decides the result beside the prompt, the head and the seed.

    The first group is the paper's method. Values that the paper does not state, or that differ from
    it at avatar scale, say so. The second group makes fitting fast on a CPU. The third is added to
    the method; `anchor="none"`, `plain_background=False`, `background_margin=None`,
    `outlier_fraction=0` and `held_out_fraction=0` give the method as published.

    Attributes:
        num_yaw: Columns of the view grid (Algorithm 1).
        num_pitch: Rows of the view grid; the exact front is one more view.
        yaw_range: Largest yaw in radians, to both sides.
        pitch_range: Largest pitch in radians, up and down.
        image_size: Side of the views in pixels; the head's own size when None.
        use_i2t: "full": the paper's network; "vector": its code averaged over positions;
            "no_pretraining": fresh weights; "none": the frozen generator with two trainable
            modulation layers. These three are the paper's ablation (Table 2). "levels": ours, the
            planes themselves at several sizes, see `plane_source.PlaneLevels`; heads whose planes
            are finer than the network's (`triptych lift`) take it for "full".
        steps: Largest number of optimiser steps; not stated in the paper.
        batch_views: Views per step; not stated in the paper.
        learning_rate: Adam's rate after warm-up; the paper's is 2e-3 with equalised layers.
        betas: Adam's moment decays.
        rec_weight: Weight of the reconstruction loss (Eq. 5).
        perceptual_weight: Weight of the perceptual distance within the reconstruction loss.
        density_weight: Weight of the density regularisation (Eq. 6).
        density_perturbation: "relative": a point moves by delta * x (the paper); "additive": by
            delta (EG3D).
        density_std: Standard deviation of delta.
        density_points: Points per step of the density regularisation.

        edit_batch: Views edited at once.
        patch: Side of a view's patch in rays; the whole view when it is not larger.
        strides: Pixel steps between the rays of a patch, drawn evenly; in the prior's pixels too.
        num_spread: Samples per ray over the whole range.
        num_guided: Samples per ray round the surface last rendered there.
        guided_deviation: Standard deviation of the guided samples in world units.
        mixed_precision: Networks in bfloat16 where that is fast, compositing in float32.

        outlier_fraction: Largest share of the views that may be dropped as inconsistent.
        outlier_ratio: A view is dropped when it differs from its neighbours this many times more
            than the middle view does.
        held_out_fraction: Share of the views that are for validation only.
        evaluate_every: Steps between validations on the held-out views.
        patience: Validations without improvement after which the fitting stops.
        warmup_steps: Steps of linear warm-up.
        gradient_clip: Largest gradient norm.
        damping: Adam's epsilon with "levels", in root mean squares of each level's gradients:
            places that few rays meet, or on which they disagree, would be noise without it.
        ema_decay: Decay of the weight average that makes the result.
        anchor: "head": the difference between the unedited head's planes, which are known, and
            those of the untuned source is added to every answer of "full", "vector" and "none", so
            that the fitting starts at the head itself, even a tuned one; "none": the paper.
        plain_background: Composite edited heads on the prior's plain background, where the
            pipeline has matting; otherwise what the editor drew there becomes clouds in space.
        background_margin: Edited pixels farther from the unedited head than this many pixels of its
            rays count as plain background. None fits every pixel as edited. Of heads with finer
            pictures than the prior's (`triptych lift`), it counts the prior's pixels.
        empty_weight: Weight of the empty-space loss on density farther than that from the unedited
            head; see `render.empty_space`. None without a margin.
        empty_points: Points per step of the empty-space loss.
    """

    num_yaw: int = 10
    num_pitch: int = 10
    yaw_range: float = math.radians(30)
    pitch_range: float = math.radians(30)
    image_size: int | None = None
    use_i2t: PlaneSource = "full"
    steps: int = 260
    batch_views: int = 4
    learning_rate: float = 5e-4
    betas: tuple[float, float] = (0.0, 0.99)
    rec_weight: float = 10.0
    perceptual_weight: float = 1.0
    density_weight: float = 0.2
    density_perturbation: Literal["relative", "additive"] = "relative"
    density_std: float = 0.004
    density_points: int = 1000

    edit_batch: int = 8
    patch: int = 64
    strides: tuple[int, ...] = (1, 2)
    num_spread: int = 8
    num_guided: int = 6
    guided_deviation: float = 0.02
    mixed_precision: bool = True

    outlier_fraction: float = 0.1
    outlier_ratio: float = 2.5
    held_out_fraction: float = 0.1
    evaluate_every: int = 25
    patience: int = 6
    warmup_steps: int = 20
    gradient_clip: float = 1.0
    damping: float = 1.0
    ema_decay: float = 0.995
    anchor: Literal["head", "none"] = "head"
    plain_background: bool = True
    background_margin: int | None = 14
    empty_weight: float = 1.0
    empty_points: int = 2000

    def __post_init__(self) -> None:
        check_fields(
            self,
            num_yaw=(1, 100),
            num_pitch=(1, 100),
            yaw_range=(0, math.radians(90)),
            pitch_range=(0, math.radians(60)),
            image_size=(16, 2048),
            edit_batch=(1, 256),
            outlier_fraction=(0, 0.5),
            outlier_ratio=(1, 1e6),
            held_out_fraction=(0, 0.5),
            steps=(1, 1_000_000),
            batch_views=(1, 256),
            patch=(16, 4096),
            strides=(1, 64),
            learning_rate=(1e-8, 1),
            betas=(0, 0.9999999),
            warmup_steps=(0, 1_000_000),
            gradient_clip=(1e-8, 1e6),
            rec_weight=(0, 1e6),
            perceptual_weight=(0, 1e6),
            density_weight=(0, 1e6),
            density_std=(0, 1),
            density_points=(1, 10_000_000),
            background_margin=(0, 4096),
            empty_weight=(0, 1e6),
            empty_points=(1, 10_000_000),
            num_spread=(1, 1000),
            num_guided=(0, 1000),
            guided_deviation=(0, 10),
            damping=(0, 100),
            ema_decay=(0, 1),
            evaluate_every=(1, 1_000_000),
            patience=(1, 1_000_000),
        )
        if not self.strides:
            raise UserError("StylizeSettings.strides: got none; expected at least one stride")

    @property
    def num_views(self) -> int:
        """Views to edit: the grid and the exact front."""
        return self.num_yaw * self.num_pitch + 1

    def with_levels(self) -> StylizeSettings:
        """Return settings for levels instead of a network: half the steps are enough."""
        return dataclasses.replace(self, use_i2t="levels", steps=max(1, self.steps // 2))

    def for_finer_rays(self, factor: int) -> StylizeSettings:
        """Return settings for a head with more rays along a side than the prior has.

        Lengths in pixels keep their meaning in space, so patches show as much of a face as those
        that the prior's networks know. Unchanged where the size of the views is set.

        Args:
            factor: Rays along a side, in those of the prior.
        """
        if factor == 1 or self.image_size is not None:
            return self
        margin = self.background_margin
        return dataclasses.replace(
            self,
            strides=tuple(factor * stride for stride in self.strides),
            background_margin=None if margin is None else factor * margin,
        )


def preset(quality: str, changes: Mapping[str, Any] | None = None) -> StylizeSettings:
    """Return the settings of a quality, single ones changed.

    Args:
        quality: "draft", "standard" or "high".
        changes: Values by name.

    Raises:
        UserError: There is no such quality or setting, or a value is out of range.
    """
    standard = StylizeSettings()
    presets = {
        "draft": dataclasses.replace(standard, num_yaw=5, num_pitch=5, steps=120, patience=4),
        "standard": standard,
        "high": dataclasses.replace(standard, steps=1500, batch_views=6, patience=12),
    }
    check_choice("quality", quality, presets)
    if not changes:
        return presets[quality]
    return from_dict(StylizeSettings, to_dict(presets[quality]) | dict(changes))
