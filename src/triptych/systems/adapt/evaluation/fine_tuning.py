"""Fine-tuning every weight of a generator's planes: what styles by factors are compared with."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from triptych.camera import Camera
from triptych.models.eg3d import TriPlaneGenerator
from triptych.systems.adapt.few_shot import FewShotRecipe, FewShotSettings
from triptych.training.head_views import ViewDraw


@dataclass(frozen=True)
class FineTuningSettings(FewShotSettings):
    """The same losses and steps, with a rate for weights.

    Attributes:
        rate: Adam's largest rate of all weights.
    """

    rate: float = 2e-3


class FineTuning(FewShotRecipe):
    """The few-shot recipe where the whole network that makes planes learns."""

    def start(self) -> TriPlaneGenerator:
        """Return a copy of the generator whose synthesis network learns."""
        tuned = copy.deepcopy(self.generator)
        tuned.backbone.synthesis.requires_grad_(True)
        return tuned

    def groups(self, learned: Any) -> list[dict[str, Any]]:
        """Return the weights of the synthesis network."""
        weights = list(learned.backbone.synthesis.parameters())
        return [{"params": weights, "largest": self.settings.rate}]

    def copied(self, learned: Any) -> TriPlaneGenerator:
        """Return a copy that is frozen."""
        return copy.deepcopy(learned).requires_grad_(False)

    def rendered(
        self, ws: Tensor, camera: Camera, draw: ViewDraw, learned: Any | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return pictures of the tuned generator's heads, or of unstyled ones, and planes."""
        if learned is None:
            return super().rendered(ws, camera, draw)
        planes = learned.planes(ws, modulation="activations")
        return self.views.rendered(planes, ws, camera, draw), planes
