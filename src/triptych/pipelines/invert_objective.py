"""How far an inversion is from its picture, with gradients: the picture and its mirror image."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.head_views import HeadViews
from triptych.ops.precision import half_precision_where_fast
from triptych.pipelines.invert_settings import InvertSettings
from triptych.pipelines.invert_target import InversionTarget
from triptych.priors.inversion_losses import InversionWeights, inversion_loss
from triptych.priors.judges import Judges


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
        judges: Judges,
        settings: InvertSettings,
        weights: InversionWeights,
    ) -> None:
        self._views = HeadViews(generator, settings.views)
        self._target, self._judges, self._weights = target, judges, weights
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
        second, doubt = None, None
        if self._mirror:
            other = views.draw(1, self.is_whole(step), self._draws)
            camera = target.camera.mirrored()
            second = views.pair(planes, ws, camera, target.mirrored, other)
            if target.doubt is not None:
                doubt = views.cut(target.doubt[:, None], other)[:, 0]
        return inversion_loss(
            first,
            second,
            self._judges.perceptual,
            self._judges.identity,
            self._weights,
            confidence=doubt,
        )

    def of_codes(self, painter: TriPlaneGenerator, ws: Tensor, step: int) -> Tensor:
        """Return the loss [] of style codes [1, k, d] through a copy that paints their planes."""
        with half_precision_where_fast(ws.device):
            planes = painter.planes(ws)
        return self(planes.float(), ws, step)[0]

    def is_whole(self, step: int) -> bool:
        """Say whether a step looks at the whole head."""
        return step % self._whole_every == 0
