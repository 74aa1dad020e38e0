"""Networks that metrics run: published ones if the user has their files, else embedded ones.

Published files are looked for in one folder under the names that their authors gave them; nothing
is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from triptych.errors import UserError
from triptych.files import user_cache_folder
from triptych.metrics.identity import ArcFaceIdentity, AvatarIdentity, IdentityFeatures
from triptych.metrics.lpips import LpipsDistance, LpipsStack
from triptych.metrics.perceptual import AvatarPerceptualDistance, PerceptualDistance
from triptych.metrics.style_classifier import AvatarStyleClassifier, StyleClassifier
from triptych.nn.ir_se import Squeeze
from triptych.ops.placement import move

FEATURES, STYLE_CLASSIFIER = "avatar-features", "avatar-classifier"
"""The embedded networks of the perceptual distance, and of styles and identities."""

NetworkOrigin = Literal["auto", "published", "embedded"]

ARCFACE_FILE = "model_ir_se50.pth"
LPIPS_FILES: dict[LpipsStack, tuple[str, str]] = {
    "alexnet": ("alexnet-owt-7be5be79.pth", "lpips-alex.pth"),
    "vgg16": ("vgg16-397923af.pth", "lpips-vgg.pth"),
}
"""The feature stack's file under its publisher's name, then LPIPS's linear weights, renamed from
`alex.pth` and `vgg.pth`."""


@dataclass(frozen=True)
class MetricNetworks:
    """The networks that measure a reconstruction.

    Attributes:
        perceptual: Distance of images.
        identity: Identity features.
        used: Description of each of the two, for a report.
    """

    perceptual: PerceptualDistance
    identity: IdentityFeatures
    used: dict[str, str]

    def to(self, device: torch.device | str) -> MetricNetworks:
        """Move both networks to a device and return self."""
        move(self.perceptual, device)
        move(self.identity, device)
        return self


@dataclass(frozen=True)
class StyleNetworks:
    """The networks that measure a stylised image.

    Attributes:
        classifier: Style classifier; trained on avatar renders only.
        identity: Identity features.
        distance: Perceptual distance.
        hashes: SHA-256 of the weights by model name.
    """

    classifier: StyleClassifier
    identity: IdentityFeatures
    distance: PerceptualDistance
    hashes: dict[str, str] = field(default_factory=dict)

    def to(self, device: torch.device | str) -> StyleNetworks:
        """Move all networks to a device and return self."""
        for network in (self.classifier, self.identity, self.distance):
            move(network, device)
        return self


def load_style_networks(device: torch.device | str = "cpu") -> StyleNetworks:
    """Return the embedded networks: a classifier that no system trains with, and the features."""
    from triptych.weights import load_features
    from triptych.weights.registry import MODELS

    classifier = load_features(STYLE_CLASSIFIER, device)
    return StyleNetworks(
        AvatarStyleClassifier(classifier),
        AvatarIdentity(classifier),
        AvatarPerceptualDistance(load_features(FEATURES)).to(device),
        {name: MODELS[name].sha256() for name in (FEATURES, STYLE_CLASSIFIER)},
    )


def metric_networks_folder(folder: str | Path | None = None) -> Path:
    """Return where published files are looked for: `networks` in the cache folder by default."""
    return user_cache_folder() / "networks" if folder is None else Path(folder)


def find_metric_networks(
    origin: NetworkOrigin = "auto",
    *,
    folder: str | Path | None = None,
    stack: LpipsStack = "alexnet",
    squeeze: Squeeze = "mean",
    embedded_perceptual: str = "avatar-features",
    embedded_identity: str = "avatar-classifier",
) -> MetricNetworks:
    """Return the metric networks, each chosen on its own.

    Args:
        origin: "auto" takes published files where they are and embedded networks otherwise;
            "published" requires the files; "embedded" ignores them.
        folder: Where the files are; `networks` in the cache folder by default.
        stack: Which LPIPS.
        squeeze: How ArcFace's gates pool; see `nn.ir_se`.
        embedded_perceptual: Feature network behind the embedded distance.
        embedded_identity: Feature network behind the embedded identity.

    Raises:
        UserError: Files are required and missing, or a file holds something else.
    """
    place = metric_networks_folder(folder)
    used: dict[str, str] = {}
    perceptual: PerceptualDistance
    identity: IdentityFeatures
    if _take_files(origin, place, LPIPS_FILES[stack]):
        network, heads = LPIPS_FILES[stack]
        perceptual = LpipsDistance.from_files(place / network, place / heads, stack).eval()
        used["perceptual"] = f"LPIPS v0.1 over {stack} ({network}, {heads})"
    else:
        perceptual = AvatarPerceptualDistance.from_pretrained(embedded_perceptual).eval()
        used["perceptual"] = f"{embedded_perceptual} (trained on avatars)"
    if _take_files(origin, place, (ARCFACE_FILE,)):
        identity = ArcFaceIdentity.from_file(place / ARCFACE_FILE, squeeze=squeeze)
        used["identity"] = f"ArcFace IR-SE50 ({ARCFACE_FILE})"
    else:
        identity = AvatarIdentity.from_pretrained(embedded_identity)
        used["identity"] = f"{embedded_identity} (trained on avatars)"
    return MetricNetworks(perceptual, identity, used)


def _take_files(origin: NetworkOrigin, place: Path, names: tuple[str, ...]) -> bool:
    """Return whether published files are to be used.

    Raises:
        UserError: They are required, but some are missing.
    """
    missing = [name for name in names if not (place / name).is_file()]
    if origin == "published" and missing:
        raise UserError(
            f"published weights are missing: {', '.join(missing)} in {place}; put them there, or "
            "use the embedded networks"
        )
    return origin != "embedded" and not missing
