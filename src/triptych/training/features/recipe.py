"""The avatar feature network: regions, identity, attributes and style from one picture.

What the four heads ask for together makes the stages see what people see in these heads; the
stages then carry the perceptual distance. A second network from the same code, with another seed
and wider augmentation (recipe "classifier"), is the judge that evaluations use.
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
from triptych.training.augmentation import Augmentation
from triptych.training.features.batches import (
    VariantBatch,
    draw_variant_batch,
    expected_style_shares,
    style_names_in,
)
from triptych.training.features.contrastive import supervised_contrastive_loss
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.trained_weights import save_trained

LOOP = LoopConfig(learning_rate=1e-3, betas=(0.9, 0.98), warmup_steps=100, ema_decay=0.995)

# Small regions count more, or the network would learn to overlook them: background, face, eye,
# brow, mouth, nose, ear, hair, neck and cloth.
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
        shards: Folder of avatar shards with several looks per head.
        test_shards: Folder of such shards of heads never trained on.
        start_from: Feature network (.safetensors) to begin with; a fresh one when None.
        init_seed: Seed of the fresh weights.
        batch_heads: Different heads per step.
        images_per_head: Pictures of each head per step; at least 2, so that each has a partner.
        augmentation: Factor on the ranges of all random changes; 0 for none.
        regions: Weight of the region term.
        style: Weight of the style term.
        identity: Weight of the contrastive identity term.
        attributes: Weight of the attribute term.
        even_styles: Take every style for equally likely beforehand, however often it is drawn.
            Without it a network that is not sure answers "original", which is drawn most.
        temperature: Temperature of the contrastive term.
        people_only: Train only what says who it is: identity, attributes and the layer both read.
            Stages, regions and styles stay as they are, to the bit.
        device: Where to train, in torch's words.
    """

    shards: str = "runs/data/looks"
    test_shards: str = "runs/data/looks_test"
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
    """Build the recipe with a fresh or given network."""
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
            for answer in (network.stages, network.region_head, network.style_head):
                answer.requires_grad_(False)
        self.features = network.to(options.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
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
        """Draw heads in several looks and cameras and ask all four heads about them."""
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
            terms = self._people_terms(features, batch)
            figures: dict[str, float] = {}
            if not options.people_only:
                region_logits = self.features.region_logits(features).float()
                terms["regions"] = self._region_loss(region_logits, regions, batch.regions_known)
                terms["style"], figures["style_accuracy"] = self._style_term(features, batch)
        loss = sum((getattr(options, name) * term for name, term in terms.items()), torch.zeros(()))
        return loss, {name: float(term.detach()) for name, term in terms.items()} | figures

    def _people_terms(self, features: dict[str, Tensor], batch: VariantBatch) -> dict[str, Tensor]:
        return {
            "identity": supervised_contrastive_loss(
                self.features.identity(features).float(),
                batch.head,
                temperature=self.options.temperature,
            ),
            "attributes": _attribute_loss(self.features.attributes(features).float(), batch),
        }

    def _style_term(self, features: dict[str, Tensor], batch: VariantBatch) -> tuple[Tensor, float]:
        """Cross-entropy of the styles, and the share named rightly.

        What is drawn often is told to the loss, so the network need not learn it (Menon et al.,
        Long-Tail Learning via Logit Adjustment, 2021, Eq. 10).
        """
        logits = self.features.style_logits(features).float()
        right = logits.argmax(1) == batch.style.argmax(1)
        term = functional.cross_entropy(logits + self.log_shares, batch.style)
        return term, float(right.float().mean())

    def _region_loss(self, logits: Tensor, regions: Tensor, known: Tensor) -> Tensor:
        """Class-weighted cross-entropy over the pictures whose regions are known."""
        per_pixel = functional.cross_entropy(
            logits.permute(0, 2, 3, 1).flatten(0, 2), regions.flatten(), reduction="none"
        )
        weight = (self.region_weights[regions] * known[:, None, None]).flatten()
        return (per_pixel * weight).sum() / weight.sum().clamp(min=1)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        """Measure regions, style, identity and attributes on unseen heads."""
        from triptych.training.features.checks import check_features

        network: Any = averaged["features"]
        return check_features(network, self.test_shards, Augmentation(), heads=40)

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        """Save pictures of unseen heads, the regions found in them and the styles named."""
        from PIL import Image, ImageDraw

        network: Any = averaged["features"]
        rng = np.random.default_rng(0)
        batch = draw_variant_batch(
            self.test_shards, self.style_names, rng, heads=8, images_per_head=4
        ).to(self.options.device)
        features = network(batch.image)
        regions = network.region_logits(features).argmax(1)
        painted = torch.tensor(_REGION_COLOURS, dtype=torch.uint8)[regions.cpu()]
        pictures = to_uint8(batch.image.cpu())
        pairs = torch.cat([pictures, painted], dim=1)  # picture above its regions
        height, width = pairs.shape[1:3]
        rows = pairs.view(4, 8, height, width, 3).permute(0, 2, 1, 3, 4)
        canvas = Image.fromarray(rows.reshape(4 * height, 8 * width, 3).numpy())
        draw = ImageDraw.Draw(canvas)
        answers = network.style_logits(features).argmax(1).tolist()
        truths = batch.style.argmax(1).tolist()
        for index, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
            corner = (index % 8 * width + 2, index // 8 * height + 1)
            colour = (0, 90, 0) if answer == truth else (200, 0, 0)
            draw.text(corner, self.style_names[answer], fill=colour)
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
    """Smooth L1 over the heads shown as they are: a style may hide or change attributes."""
    per_image = functional.smooth_l1_loss(predicted, batch.attributes, reduction="none").mean(1)
    shown = batch.is_original.float()
    return (per_image * shown).sum() / shown.sum().clamp(min=1)
