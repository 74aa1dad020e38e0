"""Figures of a feature network on heads it has never seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.nn.feature_network import AvatarFeatures
from triptych.training.augmentation import Augmentation
from triptych.training.features.batches import Pick, VariantBatch, variant_batch
from triptych.training.style_variants import drawn_styles

_BATCH = 32


@torch.no_grad()
def check_features(
    network: AvatarFeatures, shards: ShardSet, augmentation: Augmentation, *, heads: int
) -> dict[str, float]:
    """Ask a network's four heads about unseen avatars in all their looks.

    Args:
        network: The network.
        shards: Heads never trained on.
        augmentation: Changes of the second pass; the first sees clean renders.
        heads: How many heads to use.

    Returns:
        style_accuracy: Share of looks named rightly (a combined look: one of its two styles).
        style_accuracy_changed: The same on augmented pictures.
        identity_kept: Share of styled pictures nearer to the same head's original picture from
            another camera than to another head's.
        region_iou: Mean intersection over union of the regions, on looks that keep them.
        attribute_r2: Explained share of the attributes' variance, on original looks.
    """
    names, device = network.config.style_names, next(network.parameters()).device
    picks = _picks(shards, min(heads, len(shards)))
    generator = torch.Generator().manual_seed(0)
    answers: dict[str, list[Tensor]] = {}
    for start in range(0, len(picks), _BATCH):
        batch = variant_batch(shards, names, picks[start : start + _BATCH])
        changed, _ = augmentation(batch.image, batch.regions, generator)
        for name, answer in _ask(network, batch, changed, device).items():
            answers.setdefault(name, []).append(answer)
    found = {name: torch.cat(parts) for name, parts in answers.items()}
    overlap, union = found["overlap"].sum(0), found["union"].sum(0)
    figures = {
        "style_accuracy": found["right"].float().mean(),
        "style_accuracy_changed": found["right_changed"].float().mean(),
        "identity_kept": _identity_kept(found["identity"], found["head"], found["original"]),
        "region_iou": (overlap / union.clamp(min=1))[union > 0].mean(),
        "attribute_r2": _explained(found["attributes"], found["truth"], found["original"]),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def _picks(shards: ShardSet, heads: int) -> list[Pick]:
    """Every rendered look of every head once and two drawn ones, cameras and drawn in turn."""
    drawn = drawn_styles()
    picks = []
    for head in range(heads):
        variants = [str(variant) for variant in shards.get("variants", head)]
        variants += [drawn[(2 * head + offset) % len(drawn)] for offset in range(2)]
        picks += [
            (head, variant, (head + place) % shards.num_views)
            for place, variant in enumerate(variants)
        ]
    return picks


def _ask(
    network: AvatarFeatures, batch: VariantBatch, changed: Tensor, device: torch.device
) -> dict[str, Tensor]:
    features = network(batch.image.to(device))
    style = network.style_logits(features).argmax(1).cpu()
    style_changed = network.style_logits(network(changed.to(device))).argmax(1).cpu()
    row = torch.arange(len(style))
    regions = network.region_logits(features).argmax(1).cpu()
    overlap, union = _overlaps(regions, batch, network.config.num_regions)
    return {
        "right": batch.style[row, style] > 0,
        "right_changed": batch.style[row, style_changed] > 0,
        "identity": network.identity(features).cpu(),
        "head": batch.head,
        "original": batch.is_original,
        "overlap": overlap,
        "union": union,
        "attributes": network.attributes(features).cpu(),
        "truth": batch.attributes,
    }


def _overlaps(regions: Tensor, batch: VariantBatch, num_regions: int) -> tuple[Tensor, Tensor]:
    found = torch.stack([regions == index for index in range(num_regions)], dim=1)
    true = torch.stack([batch.regions == index for index in range(num_regions)], dim=1)
    known = batch.regions_known[:, None]
    return (found & true).sum((2, 3)) * known, (found | true).sum((2, 3)) * known


def _explained(predicted: Tensor, truth: Tensor, original: Tensor) -> Tensor:
    predicted, truth = predicted[original], truth[original]
    variance = (truth - truth.mean(0)).square().mean()
    return 1 - (predicted - truth).square().mean() / variance


def _identity_kept(identity: Tensor, head: Tensor, original: Tensor) -> Tensor:
    """Compare each styled picture with its own original and with the next head's."""
    of_head = {int(head[i]): identity[i] for i in np.flatnonzero(original.numpy())}
    heads = list(of_head)
    kept = []
    for index in np.flatnonzero(~original.numpy()):
        own = int(head[index])
        if own not in of_head or len(heads) < 2:
            continue
        other = of_head[heads[(heads.index(own) + 1) % len(heads)]]
        kept.append(identity[index] @ of_head[own] > identity[index] @ other)
    return torch.stack(kept).float().mean() if kept else torch.tensor(torch.nan)
