"""Evaluation of a feature network on held-out heads."""

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
    """Evaluate the four outputs of a network on held-out avatars in all their variants.

    Args:
        network: The network.
        shards: Held-out heads.
        augmentation: Augmentation of the second pass; the first reads clean renders.
        heads: How many heads to use.

    Returns:
        style_accuracy: Share of correctly classified variants (of a combination, one style).
        style_accuracy_changed: The same on augmented pictures.
        identity_kept: Share of styled pictures whose identity is nearer to that of the same head's
            original, seen by another camera, than to another head's.
        region_iou: Mean intersection over union of the regions, on variants that keep them.
        attribute_r2: Explained share of the variance of the attributes, on original variants.
    """
    names, device = network.config.style_names, next(network.parameters()).device
    picks = _picks(shards, min(heads, len(shards)))
    generator = torch.Generator().manual_seed(0)
    results: dict[str, list[Tensor]] = {}
    for start in range(0, len(picks), _BATCH):
        batch = variant_batch(shards, names, picks[start : start + _BATCH])
        changed, _ = augmentation(batch.image, batch.regions, generator)
        for name, values in _evaluated(network, batch, changed, device).items():
            results.setdefault(name, []).append(values)
    found = {name: torch.cat(parts) for name, parts in results.items()}
    overlap, union = found["overlap"].sum(0), found["union"].sum(0)
    figures = {
        "style_accuracy": found["correct"].float().mean(),
        "style_accuracy_changed": found["correct_changed"].float().mean(),
        "identity_kept": _identity_kept(found["identity"], found["head"], found["original"]),
        "region_iou": (overlap / union.clamp(min=1))[union > 0].mean(),
        "attribute_r2": _explained(found["attributes"], found["truth"], found["original"]),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def _picks(shards: ShardSet, heads: int) -> list[Pick]:
    """Return every rendered variant of every head and two filtered ones, cycling over cameras."""
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


def _evaluated(
    network: AvatarFeatures, batch: VariantBatch, changed: Tensor, device: torch.device
) -> dict[str, Tensor]:
    features = network(batch.image.to(device))
    style = network.style_logits(features).argmax(1).cpu()
    style_changed = network.style_logits(network(changed.to(device))).argmax(1).cpu()
    row = torch.arange(len(style))
    regions = network.region_logits(features).argmax(1).cpu()
    overlap, union = _overlaps(regions, batch, network.config.num_regions)
    return {
        "correct": batch.style[row, style] > 0,
        "correct_changed": batch.style[row, style_changed] > 0,
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
