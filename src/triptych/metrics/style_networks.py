"""The networks that look at stylised pictures in an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

from triptych.metrics.identity import IdentityFeatures
from triptych.metrics.perceptual import PerceptualDistance
from triptych.metrics.style_classifier import StyleClassifier


@dataclass(frozen=True)
class StyleNetworks:
    """Judges and the hashes of their weights.

    Attributes:
        classifier: Names styles; trained on avatar renders only.
        identity: Recognises heads.
        distance: Perceptual distance.
        hashes: SHA-256 by model name.
    """

    classifier: StyleClassifier
    identity: IdentityFeatures
    distance: PerceptualDistance
    hashes: dict[str, str] = field(default_factory=dict)
