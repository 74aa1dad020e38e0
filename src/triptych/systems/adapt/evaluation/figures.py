"""What is measured of styled heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.metrics.frechet import pooled_features
from triptych.metrics.identity import identity_kept
from triptych.metrics.kernel_distance import kernel_distance
from triptych.metrics.metric_networks import StyleNetworks
from triptych.metrics.reprojection import PosedViews, reprojection_error
from triptych.metrics.style_classifier import style_recognised
from triptych.nn.feature_network import AvatarFeatures
from triptych.portrait import TriPlanePortrait, View
from triptych.systems.adapt.few_shot import StyleStatistics

_OPAQUE = 0.9
FIGURES = (
    "style distance",
    "style named, %",
    "identity kept, %",
    "content distance",
    "depth change, %",
    "view inconsistency, %",
    "KID to unseen pictures",
)


@dataclass(frozen=True, eq=False)
class StyleFigures:
    """Measures heads in a style against true pictures in it and against unstyled heads.

    Attributes:
        networks: Of styles, people and pictures.
        features: Embedded features of the style's statistics.
    """

    networks: StyleNetworks
    features: AvatarFeatures

    def __call__(
        self,
        style: str,
        styled: list[TriPlanePortrait],
        plain: list[TriPlanePortrait],
        unseen: Tensor,
        camera: Camera,
    ) -> dict[str, float]:
        """Return the mean figures over heads and views, by the names of `FIGURES`.

        Args:
            style: Name of the style.
            styled: Heads in it.
            plain: The same heads without it, two or more.
            unseen: True pictures in the style of other people [n, 3, s, s].
            camera: v cameras in a row, neighbours beside each other.
        """
        size = unseen.shape[-1]
        looks = [portrait.render(camera, size) for portrait in styled]
        before = [portrait.render(camera, size) for portrait in plain]
        images = torch.cat([look.image for look in looks]).clamp(-1, 1)
        unstyled = torch.cat([look.image for look in before]).clamp(-1, 1)
        who, source = self._people(images), self._people(unstyled)
        other = source.roll(len(camera), dims=0)
        named = style_recognised(self.networks.classifier, images, style).float()
        kept = identity_kept(who, source, other).float()
        values = (
            float(self._statistics(unseen).distance(self._statistics(images))),
            100 * float(named.mean()),
            100 * float(kept.mean()),
            float(self.networks.distance(images, unstyled).mean()),
            100 * float(np.mean(list(map(_depth_change, looks, before)))),
            100 * float(np.mean([_inconsistency(look, camera) for look in looks])),
            kernel_distance(self._pooled(images), self._pooled(unseen)),
        )
        return dict(zip(FIGURES, values, strict=True))

    def _people(self, images: Tensor) -> Tensor:
        return self.networks.identity.embed(images)

    def _statistics(self, images: Tensor) -> StyleStatistics:
        return StyleStatistics.measured({"pixels": images, **self.features(images)})

    def _pooled(self, images: Tensor) -> np.ndarray:
        return pooled_features(self.features, images).double().cpu().numpy()


def _depth_change(look: View, before: View) -> float:
    """Return the mean change of the depth, as a fraction of the cube's side, where both are."""
    both = (look.alpha > _OPAQUE) & (before.alpha > _OPAQUE)
    change = (look.depth - before.depth).abs()[both]
    return float(change.mean()) if change.numel() else float("nan")


def _inconsistency(look: View, camera: Camera) -> float:
    """Return the mean re-projection error between neighbouring views, a fraction of the range."""
    size = look.depth.shape[-1]
    image = torch.nn.functional.interpolate(look.image, size=(size, size), mode="area")
    views = PosedViews(image, look.depth, look.alpha, camera)
    index = torch.arange(len(camera))
    errors = reprojection_error(views[index[:-1]], views[index[1:]])
    return float(errors.nanmean())
