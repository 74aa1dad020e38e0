"""The loss of an inversion, with gradients: 3DpSp's terms on the picture and its mirror image."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.precision import half_precision_where_fast
from triptych.systems.invert.losses import InversionWeights, inversion_loss
from triptych.systems.invert.target import InversionTarget
from triptych.training.head_views import HeadViews, ViewSettings


class InversionObjective:
    """3DpSp's loss of one picture, on a patch or the whole of it.

    Args:
        generator: Its planes are rendered.
        target: The picture.
        networks: Perceptual distance and identity.
        weights: Of the terms.
        views: How heads are rendered.
        mirror: Compare the mirrored picture from the mirrored camera too.
        whole_every: Every so many steps the whole head is rendered instead of a patch.
    """

    def __init__(
        self,
        generator: TriPlaneGenerator,
        target: InversionTarget,
        networks: MetricNetworks,
        weights: InversionWeights,
        *,
        views: ViewSettings,
        mirror: bool,
        whole_every: int,
    ) -> None:
        self.generator = generator
        self._views = HeadViews(generator, views)
        self._target, self._networks, self._weights = target, networks, weights
        self._mirror, self._whole_every = mirror, whole_every

    def __call__(
        self, planes: Tensor, ws: Tensor, step: int, draws: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss [] and its terms before they are weighted.

        Args:
            planes: Planes [1, 3, c, h, w].
            ws: Style codes [1, k, d].
            step: Decides whether the whole head is rendered.
            draws: Source of patches and of samples on rays.
        """
        views, target = self._views, self._target
        draw = views.draw(1, self.is_whole(step), draws)
        first = views.pair(planes, ws, target.camera, target.image, draw)
        second, uncertainty = None, None
        if self._mirror:
            other = views.draw(1, self.is_whole(step), draws)
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
            uncertainty=uncertainty,
        )

    def of_codes(self, ws: Tensor, step: int, draws: torch.Generator) -> Tensor:
        """Return the loss [] of style codes [1, k, d] of the frozen generator."""
        with half_precision_where_fast(ws.device):
            # Scaled activations need no gradient of the weights: half the backward pass.
            planes = self.generator.planes(ws, modulation="activations")
        return self(planes.float(), ws, step, draws)[0]

    def is_whole(self, step: int) -> bool:
        """Say whether a step renders the whole head."""
        return step % self._whole_every == 0
