"""Which networks judge likeness: published ones when the user has their files, else embedded ones.

Published files are looked for in one folder under the names that their authors gave them; nothing
is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from triptych.errors import UserError
from triptych.files import user_cache_folder
from triptych.metrics.identity import ArcFaceIdentity, AvatarIdentity, IdentityFeatures
from triptych.metrics.lpips import LpipsDistance, LpipsStack
from triptych.metrics.perceptual import AvatarPerceptualDistance, PerceptualDistance
from triptych.nn.ir_se import Squeeze

NetworkOrigin = Literal["auto", "published", "embedded"]

ARCFACE_FILE = "model_ir_se50.pth"
LPIPS_FILES: dict[LpipsStack, tuple[str, str]] = {
    "alexnet": ("alexnet-owt-7be5be79.pth", "lpips-alex.pth"),
    "vgg16": ("vgg16-397923af.pth", "lpips-vgg.pth"),
}
"""The stack's file as its publisher names it; LPIPS's own `alex.pth` and `vgg.pth`, renamed."""


@dataclass(frozen=True)
class MetricNetworks:
    """Two networks and what they are.

    Attributes:
        perceptual: Distance of images.
        identity: Features of people.
        used: What each of the two is, in words for a report.
    """

    perceptual: PerceptualDistance
    identity: IdentityFeatures
    used: dict[str, str]


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
    """Return the judges that are there, each found on its own.

    Args:
        origin: "auto" takes published files where they are and embedded networks otherwise;
            "published" insists on files; "embedded" looks for none.
        folder: Where the files are; `networks` in the cache folder by default.
        stack: Which LPIPS.
        squeeze: How ArcFace's gates pool; see `nn.ir_se`.
        embedded_perceptual: Feature network behind the embedded distance.
        embedded_identity: Feature network behind the embedded identity.

    Raises:
        UserError: Files are insisted on and missing, or a file is not what it should be.
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
    """Say whether published files are to be used.

    Raises:
        UserError: They are insisted on, but some are missing.
    """
    missing = [name for name in names if not (place / name).is_file()]
    if origin == "published" and missing:
        raise UserError(
            f"published weights are missing: {', '.join(missing)} in {place}; put them there, or "
            "use the embedded networks"
        )
    return origin != "embedded" and not missing
