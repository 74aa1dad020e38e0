"""The head pose network: position, rotation and landmarks of a head.

It is trained on rendered heads only, whose cameras and landmarks are known: plain, styled and
filtered ones, so that it aligns avatars and drawings, on which detectors for photographs fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from triptych.avatars.geometry.landmarks import LANDMARKS, MIRRORED
from triptych.nn.head_pose_network import HeadPose, HeadPoseConfig, HeadPoseNetwork
from triptych.ops.placement import channels_last
from triptych.training.augmentation import Augmentation
from triptych.training.landmarks.landmark_shards import LandmarkShards
from triptych.training.landmarks.windows import LandmarkImages, WindowRanges, draw_windows
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.style_variants import drawn_styles
from triptych.training.trained_weights import save_trained

LOOP = LoopConfig(
    learning_rate=2e-3, betas=(0.9, 0.99), weight_decay=1e-3, warmup_steps=100, ema_decay=0.995
)


@dataclass(frozen=True)
class Options:
    """Data, batch and loss weights.

    Attributes:
        shards: Folder of plain heads.
        variants: Folder of heads in several style variants.
        test_shards: Held-out plain heads.
        test_variants: Held-out heads in several style variants.
        limit: Most plain heads used.
        cache: Folder of the landmarks, which are computed when absent.
        start_from: Network weights (.safetensors) to start from; new ones when None.
        init_seed: Seed of the initial weights.
        batch: Windows per step.
        plain: Share of windows from the plain heads.
        drawn: Share of the others that are put under a picture filter.
        landmarks: Weight of the landmark term.
        anchor: Weight of the anchor term.
        scale: Weight of the scale term.
        rotation: Weight of the rotation term.
        presence: Weight of the term of head presence.
        device: Where to train, in torch's words.
    """

    shards: str = "runs/data/prior"
    variants: str = "runs/data/variants"
    test_shards: str = "runs/data/prior_test"
    test_variants: str = "runs/data/variants_test"
    limit: int = 3000
    cache: str = "runs/data/landmarks"
    start_from: str | None = None
    init_seed: int = 0
    batch: int = 64
    plain: float = 0.45
    drawn: float = 0.12
    landmarks: float = 6.0
    anchor: float = 6.0
    scale: float = 2.0
    rotation: float = 2.0
    presence: float = 0.2
    device: str = "cpu"


def build(options: Options) -> LandmarksRecipe:
    """Build the recipe with a new or given network."""
    return LandmarksRecipe(options)


def export(recipe: LandmarksRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged network as a self-describing fp16 weight file."""
    heads = sum(len(source.shards) for source in recipe.sources)
    save_trained(recipe, result, "network", out, heads=heads, init_seed=recipe.options.init_seed)


class LandmarksRecipe:
    """Training of a `HeadPoseNetwork` on windows of rendered heads."""

    name = "landmarks"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.sources = (
            LandmarkShards.open(options.shards, options.cache, options.limit),
            LandmarkShards.open(options.variants, options.cache),
        )
        self.test_sources = (
            LandmarkShards.open(options.test_shards, options.cache),
            LandmarkShards.open(options.test_variants, options.cache),
        )
        network = channels_last(_network(options).to(options.device))
        self.network: HeadPoseNetwork = network
        self.modules: Modules = {"network": network}
        self.light = Augmentation(
            zoom=0.0, shift=0.0, brightness=0.2, contrast=0.35, tint=0.15, blur=1.3, grain=0.08
        )

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Draw windows of heads and compare the predictions with the ground truth."""
        options, config = self.options, self.network.config
        images = self._draw_images(np.random.default_rng(_seed(generator)))
        window, truth = draw_windows(
            images,
            config.image_size,
            config.window_units,
            config.mirrored,
            WindowRanges(),
            self.light,
            generator,
        )
        window = window.to(options.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(window.device.type, torch.bfloat16):
            pred = self.network(window)
        terms = pose_terms(pred, truth.to(window.device))
        loss = sum((getattr(options, name) * term for name, term in terms.items()), torch.zeros(()))
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def _draw_images(self, rng: np.random.Generator) -> LandmarkImages:
        images = []
        for _ in range(self.options.batch):
            source = self.sources[0 if rng.random() < self.options.plain else 1]
            head, view = rng.integers(len(source.shards)), rng.integers(source.shards.num_views)
            variant = rng.integers(source.landmarks.shape[1])
            filtered = rng.random() < self.options.drawn
            drawn = str(rng.choice(drawn_styles())) if filtered else None
            images.append(source.image(int(head), int(variant), int(view), drawn))
        return join_images(images)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        """Measure the alignment of whole pictures of held-out heads."""
        from triptych.training.landmarks.checks import check_head_pose

        network: Any = averaged["network"]
        plain, styled = self.test_sources
        figures = check_head_pose(network, plain, every_variant=False)
        styled_figures = check_head_pose(network, styled, every_variant=True)
        return figures | {f"styled_{name}": value for name, value in styled_figures.items()}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        """Save windows of held-out heads with the predicted landmarks and axes."""
        from triptych.training.landmarks.checks import draw_poses
        from triptych.training.sheets import save_sheet

        network: Any = averaged["network"]
        generator = torch.Generator().manual_seed(0)
        rng = np.random.default_rng(0)
        images = []
        for index in range(32):
            source = self.test_sources[index % 2]
            head, variant = (
                rng.integers(len(source.shards)),
                rng.integers(source.landmarks.shape[1]),
            )
            images.append(source.image(int(head), int(variant), int(rng.integers(2))))
        config = network.config
        window, _ = draw_windows(
            join_images(images),
            config.image_size,
            config.window_units,
            config.mirrored,
            WindowRanges(near=0.5, empty=0.0),
            self.light,
            generator,
        )
        marked = draw_poses(window, network(window.to(self.options.device)).to("cpu"))
        save_sheet(list(marked.split(8)), path)


def pose_terms(pred: HeadPose, truth: HeadPose) -> dict[str, Tensor]:
    """Return the terms of the loss by name; windows without a head count only in "presence".

    Positions and scales are compared by L1; rotations by the Frobenius norm of their difference,
    which for small errors is their angle times the square root of two.
    """
    there = truth.presence / truth.presence.sum().clamp(min=1)

    def mean(per_window: Tensor) -> Tensor:
        return (per_window * there).sum()

    difference = (pred.rotation - truth.rotation).square().sum((1, 2))
    return {
        "landmarks": mean((pred.landmarks - truth.landmarks).abs().mean((1, 2))),
        "anchor": mean((pred.anchor - truth.anchor).abs().mean(1)),
        "scale": mean((pred.log_scale - truth.log_scale).abs()),
        "rotation": mean((difference + 1e-4).sqrt()),
        "presence": functional.binary_cross_entropy_with_logits(pred.presence, truth.presence),
    }


def join_images(images: list[LandmarkImages]) -> LandmarkImages:
    """Join pictures into one batch."""
    return LandmarkImages(
        *(
            torch.cat([getattr(one, name) for one in images])
            for name in ("image", "alpha", "landmarks", "cam2world")
        )
    )


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (1,), generator=generator))


def _network(options: Options) -> HeadPoseNetwork:
    if options.start_from is not None:
        from triptych.weights import load_head_pose

        return load_head_pose(options.start_from).requires_grad_(True).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.init_seed)
        return HeadPoseNetwork(HeadPoseConfig(landmarks=LANDMARKS, mirrored=MIRRORED))
