"""The avatar feature network: regions, identity, attributes and style from one picture.

The four tasks together shape features that follow human perception of these heads; the perceptual
distance is computed from them. A second network of the same architecture, with another seed and
more augmentation (recipe "classifier"), serves evaluations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from triptych.avatars.sets.shards import ShardSet
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.ops.colour import to_uint8
from triptych.ops.placement import channels_last
from triptych.training.augmentation import Augmentation
from triptych.training.features.batches import (
    VariantBatch,
    draw_variant_batch,
    expected_style_shares,
    style_names_in,
)
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.trained_weights import save_trained

LOOP = LoopConfig(learning_rate=1e-3, betas=(0.9, 0.98), warmup_steps=100, ema_decay=0.995)

# Small regions have larger weights, or the network would ignore them: background, face, eye, brow,
# mouth, nose, ear, hair, neck and cloth.
REGION_WEIGHTS = (0.4, 1.0, 5.0, 4.0, 3.0, 2.0, 2.5, 1.0, 0.8)

_REGION_COLOURS = (
    (190, 190, 190),
    (240, 200, 170),
    (40, 90, 220),
    (120, 60, 20),
    (220, 40, 60),
    (250, 160, 90),
    (220, 120, 200),
    (60, 50, 40),
    (70, 150, 90),
)


@dataclass(frozen=True)
class Options:
    """Data, batch and loss weights.

    Attributes:
        shards: Folder of avatar shards with several style variants per head.
        test_shards: Folder of such shards of held-out heads.
        start_from: Feature network (.safetensors) to start from; a new one when None.
        init_seed: Seed of the initial weights.
        batch_heads: Different heads per step.
        images_per_head: Pictures of each head per step; at least 2, so that each has a partner.
        augmentation: Factor on the ranges of all random changes; 0 for none.
        regions: Weight of the region term.
        style: Weight of the style term.
        identity: Weight of the contrastive identity term.
        attributes: Weight of the attribute term.
        even_styles: Assume a uniform prior over styles, however often each is drawn. Without it an
            uncertain network answers "original", the most frequent style.
        temperature: Temperature of the contrastive term.
        people_only: Train only identity, attributes and the layer that both share. Stages, regions
            and styles stay unchanged, to the bit.
        device: Where to train, in torch's words.
    """

    shards: str = "runs/data/variants"
    test_shards: str = "runs/data/variants_test"
    start_from: str | None = None
    init_seed: int = 0
    batch_heads: int = 12
    images_per_head: int = 3
    augmentation: float = 1.0
    regions: float = 1.0
    style: float = 1.0
    identity: float = 0.5
    attributes: float = 0.5
    even_styles: bool = False
    temperature: float = 0.1
    people_only: bool = False
    device: str = "cpu"


def build(options: Options) -> FeaturesRecipe:
    """Build the recipe with a new or given network."""
    return FeaturesRecipe(options)


def export(recipe: FeaturesRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged network as a self-describing fp16 weight file."""
    save_trained(
        recipe,
        result,
        "features",
        out,
        heads=len(recipe.shards),
        init_seed=recipe.options.init_seed,
    )


class FeaturesRecipe:
    """Joint training of the four heads of an `AvatarFeatures` network."""

    name = "features"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.shards, self.test_shards = ShardSet(options.shards), ShardSet(options.test_shards)
        network = _network(options, self.shards)
        self.style_names = network.config.style_names
        if options.people_only:
            for frozen in (network.stages, network.region_head, network.style_head):
                frozen.requires_grad_(False)
        self.features = channels_last(network.to(options.device))
        self.modules: Modules = {"features": self.features}
        self.augmentation = Augmentation().wider(options.augmentation)
        self.region_weights = torch.tensor(REGION_WEIGHTS, device=options.device)
        self.log_shares = torch.zeros(len(self.style_names), device=options.device)
        if options.even_styles:
            expected = torch.tensor(expected_style_shares(self.shards, self.style_names))
            self.log_shares = expected.clamp(min=1e-6).log().float().to(options.device)

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Draw heads in several variants and cameras and compute the losses of all four tasks."""
        options = self.options
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        batch = draw_variant_batch(
            self.shards,
            self.style_names,
            rng,
            heads=options.batch_heads,
            images_per_head=options.images_per_head,
        )
        image, regions = self.augmentation(batch.image, batch.regions, generator)
        image = image.to(options.device).contiguous(memory_format=torch.channels_last)
        batch, regions = batch.to(options.device), regions.to(options.device)
        with torch.autocast(image.device.type, torch.bfloat16):
            features = self.features(image)
            terms = self._identity_terms(features, batch)
            figures: dict[str, float] = {}
            if not options.people_only:
                region_logits = self.features.region_logits(features).float()
                terms["regions"] = self._region_loss(region_logits, regions, batch.regions_known)
                terms["style"], figures["style_accuracy"] = self._style_term(features, batch)
        loss = sum((getattr(options, name) * term for name, term in terms.items()), torch.zeros(()))
        return loss, {name: float(term.detach()) for name, term in terms.items()} | figures

    def _identity_terms(
        self, features: dict[str, Tensor], batch: VariantBatch
    ) -> dict[str, Tensor]:
        return {
            "identity": supervised_contrastive_loss(
                self.features.identity(features).float(),
                batch.head,
                temperature=self.options.temperature,
            ),
            "attributes": _attribute_loss(self.features.attributes(features).float(), batch),
        }

    def _style_term(self, features: dict[str, Tensor], batch: VariantBatch) -> tuple[Tensor, float]:
        """Return the cross-entropy of the styles and the accuracy.

        The logits are adjusted by the frequencies of the styles, so that the network does not learn
        the frequencies (Menon et al., Long-Tail Learning via Logit Adjustment, 2021, Eq. 10).
        """
        logits = self.features.style_logits(features).float()
        correct = logits.argmax(1) == batch.style.argmax(1)
        term = functional.cross_entropy(logits + self.log_shares, batch.style)
        return term, float(correct.float().mean())

    def _region_loss(self, logits: Tensor, regions: Tensor, known: Tensor) -> Tensor:
        """Return the class-weighted cross-entropy over the pictures whose regions are known."""
        per_pixel = functional.cross_entropy(
            logits.permute(0, 2, 3, 1).flatten(0, 2), regions.flatten(), reduction="none"
        )
        weight = (self.region_weights[regions] * known[:, None, None]).flatten()
        return (per_pixel * weight).sum() / weight.sum().clamp(min=1)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        """Measure regions, style, identity and attributes on held-out heads."""
        from triptych.training.features.checks import check_features

        network: Any = averaged["features"]
        return check_features(network, self.test_shards, Augmentation(), heads=40)

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        """Save pictures of held-out heads with the predicted regions and styles."""
        from PIL import Image, ImageDraw

        network: Any = averaged["features"]
        rng = np.random.default_rng(0)
        batch = draw_variant_batch(
            self.test_shards, self.style_names, rng, heads=8, images_per_head=4
        ).to(self.options.device)
        features = network(batch.image)
        regions = network.region_logits(features).argmax(1)
        coloured = torch.tensor(_REGION_COLOURS, dtype=torch.uint8)[regions.cpu()]
        pictures = to_uint8(batch.image.cpu())
        pairs = torch.cat([pictures, coloured], dim=1)  # picture above its regions
        height, width = pairs.shape[1:3]
        rows = pairs.view(4, 8, height, width, 3).permute(0, 2, 1, 3, 4)
        canvas = Image.fromarray(rows.reshape(4 * height, 8 * width, 3).numpy())
        draw = ImageDraw.Draw(canvas)
        predictions = network.style_logits(features).argmax(1).tolist()
        targets = batch.style.argmax(1).tolist()
        for index, (pred, target) in enumerate(zip(predictions, targets, strict=True)):
            corner = (index % 8 * width + 2, index // 8 * height + 1)
            colour = (0, 90, 0) if pred == target else (200, 0, 0)
            draw.text(corner, self.style_names[pred], fill=colour)
        canvas.save(path)


def _network(options: Options, shards: ShardSet) -> AvatarFeatures:
    if options.start_from is not None:
        from triptych.weights import load_features

        return load_features(options.start_from).requires_grad_(True).train()
    config = FeatureNetworkConfig(
        style_names=style_names_in(shards), attribute_dim=len(shards.get("attributes", 0))
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.init_seed)
        return AvatarFeatures(config)


def _attribute_loss(predicted: Tensor, batch: VariantBatch) -> Tensor:
    """Return the smooth L1 loss over original variants: a style may hide or change attributes."""
    per_image = functional.smooth_l1_loss(predicted, batch.attributes, reduction="none").mean(1)
    shown = batch.is_original.float()
    return (per_image * shown).sum() / shown.sum().clamp(min=1)


def supervised_contrastive_loss(
    embeddings: Tensor, labels: Tensor, *, temperature: float = 0.1
) -> Tensor:
    """Return the mean over anchors of the negative log-probability of their positives.

    Args:
        embeddings: Unit vectors [n, d].
        labels: Class of each vector [n], integers.
        temperature: Divides the cosines; a smaller one gives more weight to hard negatives.

    Returns:
        Loss []; anchors without a positive are left out; zero if no anchor has one.

    Reference:
        Khosla et al. 2020, "Supervised Contrastive Learning", Eq. 2 (sum outside the logarithm).
    """
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    similarity = embeddings @ embeddings.T / temperature
    log_share = similarity - similarity.masked_fill(itself, -torch.inf).logsumexp(
        dim=1, keepdim=True
    )
    positive = (labels[:, None] == labels[None, :]) & ~itself
    count = positive.sum(dim=1)
    per_anchor = -log_share.masked_fill(~positive, 0.0).sum(dim=1) / count.clamp(min=1)
    return per_anchor.sum() / (count > 0).sum().clamp(min=1)
