"""How far an inversion is from its picture, with gradients: the picture and its mirror image."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.precision import half_precision_where_fast
from triptych.systems.invert.head_views import HeadViews
from triptych.systems.invert.losses import InversionWeights, inversion_loss
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.invert.target import InversionTarget


class InversionObjective:
    """3DpSp's loss of one picture, a part or the whole of it at a time.

    Args:
        generator: Whose planes are rendered.
        target: The picture.
        judges: Perceptual distance and identity.
        settings: How views are drawn, and whether the mirror image counts.
        weights: Of the terms.
    """

    def __init__(
        self,
        generator: TriPlaneGenerator,
        target: InversionTarget,
        networks: MetricNetworks,
        settings: InvertSettings,
        weights: InversionWeights,
    ) -> None:
        self._views = HeadViews(generator, settings.views)
        self._target, self._networks, self._weights = target, networks, weights
        self._mirror = settings.mirror and settings.mirror_weight > 0
        self._whole_every = settings.whole_every
        self._draws = torch.Generator().manual_seed(settings.seed)

    def __call__(self, planes: Tensor, ws: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss [] and its terms before they are weighted.

        Args:
            planes: Planes [1, 3, c, h, w].
            ws: Style codes [1, k, d].
            step: Decides whether the whole head is looked at.
        """
        views, target = self._views, self._target
        draw = views.draw(1, self.is_whole(step), self._draws)
        first = views.pair(planes, ws, target.camera, target.image, draw)
        second, uncertainty = None, None
        if self._mirror:
            other = views.draw(1, self.is_whole(step), self._draws)
            camera = target.camera.mirrored()
            second = views.pair(planes, ws, camera, target.mirrored, other)
            if target.uncertainty is not None:
                uncertainty = views.cut(target.uncertainty[:, None], other)[:, 0]
        return inversion_loss(
            first,
            second,
            self._networks.perceptual,
            self._networks.identity,
            self._weights,
            confidence=uncertainty,
        )

    def of_codes(self, synthesizer: TriPlaneGenerator, ws: Tensor, step: int) -> Tensor:
        """Return the loss [] of style codes [1, k, d] through a copy that paints their planes."""
        with half_precision_where_fast(ws.device):
            planes = synthesizer.planes(ws)
        return self(planes.float(), ws, step)[0]

    def is_whole(self, step: int) -> bool:
        """Say whether a step looks at the whole head."""
        return step % self._whole_every == 0
