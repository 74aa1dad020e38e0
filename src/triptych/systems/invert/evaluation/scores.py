"""How near each method's head is to the picture, and to the true head from other sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.metrics.frechet import pooled_features
from triptych.metrics.image_metrics import psnr
from triptych.metrics.metric_networks import MetricNetworks
from triptych.nn.feature_network import AvatarFeatures
from triptych.nn.inception import InceptionFeatures
from triptych.ops.resize import fit_size
from triptych.portrait import TriPlanePortrait
from triptych.systems.invert.evaluation.heads import HeadToInvert
from triptych.systems.invert.evaluation.methods import Answer
from triptych.weights.safetensors_file import FileHeader, load_tensors, save_tensors

_CLASS = "InversionScores"


@dataclass(frozen=True, eq=False)
class HeadScores:
    """What was measured of one head.

    Attributes:
        name: The head's.
        rows: Figures of each method, by name: "l2", "psnr", "perceptual", "identity", "seconds",
            and where other sides are known "side_psnr", "side_perceptual", "side_identity",
            "nearer" (share of the sides on which the inversion is more like the true head than like
            another one) and "above" (share on which it is more like the true head than the other
            one is).
        features: Features of each method's pictures [m, v, d]; the true head's come first.
        pictures: True picture, then each method's [m + 1, 3, s, s] in [-1, 1], or none.
        inception: Inception's features [m, v, 2048] in the same order, where its weights are there.
    """

    name: str
    rows: dict[str, dict[str, float]]
    features: Tensor
    pictures: Tensor | None
    inception: Tensor | None = None

    def save(self, path: Path, plan: str) -> None:
        """Write the scores; `plan` tells later which run they belong to."""
        tensors = {"features": self.features}
        if self.pictures is not None:
            tensors["pictures"] = ((self.pictures.clamp(-1, 1) + 1) * 127.5).round().byte()
        if self.inception is not None:
            tensors["inception"] = self.inception
        record: dict[str, Any] = {"plan": plan, "name": self.name, "rows": self.rows}
        record["methods"] = list(self.rows)  # a header's names are sorted, features are not
        save_tensors(path, tensors, FileHeader(_CLASS, record))

    @classmethod
    def load(cls, path: Path, plan: str) -> HeadScores | None:
        """Read scores of the same run; None if there are none."""
        if not path.exists():
            return None
        tensors, header = load_tensors(path, _CLASS)
        rows, methods = header.config["rows"], header.config.get("methods")
        if header.config["plan"] != plan or methods is None:
            return None
        pictures = tensors.get("pictures")
        return cls(
            header.config["name"],
            {method: rows[method] for method in methods},
            tensors["features"],
            None if pictures is None else pictures.float() / 127.5 - 1,
            tensors.get("inception"),
        )


@torch.no_grad()
def score_answers(
    head: HeadToInvert,
    answers: Iterable[Answer],
    networks: MetricNetworks,
    network: AvatarFeatures,
    *,
    pictured: bool,
    inception: InceptionFeatures | None = None,
) -> HeadScores:
    """Measure every method's head.

    Args:
        head: The truth.
        answers: The results of the methods.
        networks: Perceptual distance and identity.
        network: Its features make the embedded Frechet distance.
        pictured: Keep the pictures.
        inception: Its features make FID, where its weights are there.
    """
    true = head.target.image if head.true is None else torch.cat([head.target.image, head.true])
    features, pictures = [pooled_features(network, true)], [head.target.image]
    standard = [] if inception is None else [inception(true)]
    rows: dict[str, dict[str, float]] = {}
    for answer in answers:
        seen = _seen(answer.portrait, head)
        rows[answer.method] = {
            **_figures(seen[:1], head.target.image, networks),
            **(_side_figures(seen[1:], head, networks) if head.true is not None else {}),
            "seconds": answer.seconds,
        }
        features.append(pooled_features(network, seen))
        if inception is not None:
            standard.append(inception(seen))
        pictures.append(seen[:1])
    shown = torch.cat(pictures).cpu() if pictured else None
    found = torch.stack(standard).cpu() if standard else None
    return HeadScores(head.name, rows, torch.stack(features).cpu(), shown, found)


def _seen(portrait: TriPlanePortrait, head: HeadToInvert) -> Tensor:
    """Return the portrait from the picture's camera and from the shifted ones [v, 3, s, s]."""
    size = head.target.image.shape[-1]
    images = [portrait.render(head.target.camera).image]
    if head.shifted is not None:
        images.append(portrait.render(head.shifted).image)
    return fit_size(torch.cat(images), size).clamp(-1, 1)


def _figures(pred: Tensor, true: Tensor, networks: MetricNetworks) -> dict[str, float]:
    own, target = networks.identity.embed(pred), networks.identity.embed(true)
    return {
        "l2": float((pred - true).square().mean()),
        "psnr": float(psnr(pred, true).mean()),
        "perceptual": float(networks.perceptual(pred, true).mean()),
        "identity": float((own * target).sum(dim=1).mean()),
    }


def _side_figures(pred: Tensor, head: HeadToInvert, networks: MetricNetworks) -> dict[str, float]:
    assert head.true is not None
    assert head.other is not None
    own, true, other = (networks.identity.embed(image) for image in (pred, head.true, head.other))
    to_true, to_other = (own * true).sum(dim=1), (own * other).sum(dim=1)
    figures = _figures(pred, head.true, networks)
    return {
        **{f"side_{name}": value for name, value in figures.items() if name != "l2"},
        "nearer": float((to_true > to_other).float().mean()),
        "above": float((to_true > (true * other).sum(dim=1)).float().mean()),
    }
