"""The base of avatars: photos of avatars become planes of the frozen avatar generator's decoder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.config import check_fields
from triptych.metrics.image_metrics import psnr
from triptych.systems.edit.encoder_config import avatar_encoder
from triptych.systems.edit.network import PortraitEncoder, PortraitEncoderConfig
from triptych.systems.edit.training.avatar_recipe import FULL_RATE_INPUTS, as_photo, shown
from triptych.systems.edit.training.known_planes import KnownPlanes
from triptych.training.avatar_views import AvatarViews, spread_over
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.parameter_groups import ParameterGroup, grouped_by_inputs
from triptych.training.plane_statistics import plane_statistics
from triptych.training.ray_comparison import RayComparison, RayWeights, patch_plan
from triptych.training.sheets import save_sheet
from triptych.training.style_variants import pictures_of
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_generator, load_network

LOOP = LoopConfig(learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=1e-3, ema_decay=0.998)


@dataclass(frozen=True)
class Options:
    """Data, batch and loss weights.

    Attributes:
        generator: The frozen generator, whose decoder reads the planes.
        shards: Folder of avatar shards.
        test_shards: Folder of avatar shards of held-out heads.
        start_from: Weights (.safetensors) to begin with; new ones when None.
        batch: Heads per step.
        views: Target cameras of each.
        patch: Side of a patch in rays.
        face_share: Share of patches round parts of the face.
        own_samples: Samples of a ray where the network itself has its surface.
        randomisation: Share of photos with another background, light, blur and noise.
        planes: Weight of the L1 to the generator's planes, in units of their spread.
        kept_planes: Heads whose planes stay in memory, 1.5 MB each; more are made anew.
        weights: Of the comparison of rays.
        features: Embedded network of the perceptual term.
        device: Training device, as torch spells it.
    """

    generator: str = "avatar-generator"
    shards: str = "runs/data/prior"
    test_shards: str = "runs/data/prior_test"
    start_from: str | None = None
    batch: int = 4
    views: int = 2
    patch: int = 24
    face_share: float = 0.4
    own_samples: int = 4
    randomisation: float = 0.5
    planes: float = 0.1
    kept_planes: int = 1500
    weights: RayWeights = field(default_factory=RayWeights)
    features: str = "avatar-features"
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(
            self,
            batch=(1, 4096),
            views=(1, 64),
            patch=(2, 1024),
            own_samples=(2, 256),
            kept_planes=(0, 10**6),
        )


def build(options: Options) -> AvatarBaseRecipe:
    """Build the recipe with a new or given network."""
    return AvatarBaseRecipe(options)


def export(recipe: AvatarBaseRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged network as a self-describing fp16 weight file."""
    heads = len(recipe.views.shards)
    save_trained(recipe, result, "network", out, heads=heads, generator=recipe.options.generator)


class AvatarBaseRecipe:
    """Photos of avatars to planes, by rays of true pictures and the generator's own planes."""

    name = "live3d-avatars"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.generator = load_generator(options.generator, options.device)
        if options.start_from is None:
            network = self._new_network()
        else:
            network = load_network(options.start_from, "portrait-encoder")
        self.network = network.to(options.device).requires_grad_(False)
        self.network.encoder.requires_grad_(True)
        self.modules: Modules = {"network": self.network}
        plan = patch_plan(options.batch, options.views, options.patch, options.face_share)
        self.views = AvatarViews(
            ShardSet(options.shards), plan, randomisation=options.randomisation
        )
        self.test_views = AvatarViews(ShardSet(options.test_shards), plan)
        self.known = KnownPlanes(self.generator, self.views.shards, options.kept_planes)
        self.compared = RayComparison(
            self.views, options.weights, options.features, options.own_samples, options.device
        )

    def _new_network(self) -> PortraitEncoder:
        config = self.generator.config
        encoder = avatar_encoder(config.backbone.plane_size, config.backbone.plane_channels)
        network = PortraitEncoder(PortraitEncoderConfig(encoder, config))
        network.renderer.decoder.load_state_dict(self.generator.decoder.state_dict())
        network.encoder.set_plane_statistics(*plane_statistics(self.generator))
        return network

    def groups(self) -> list[ParameterGroup]:
        """Return what learns, at rates that fall with the inputs of a layer."""
        learning = [weight for weight in self.network.parameters() if weight.requires_grad]
        return grouped_by_inputs(learning, FULL_RATE_INPUTS)

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options, network, views = self.options, self.network, self.views
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        chosen = [replace(views.choose(rng, 1.0), variant=ORIGINAL) for _ in range(options.batch)]
        photos = torch.stack([views.photo(one, rng) for one in chosen]).to(options.device)
        planes = network.encoder.planes(network.encoder.photo_features(as_photo(network, photos)))
        terms = self.compared.terms(
            network.plane_renderer.field(planes), network.config.rendering.rendering, chosen, rng
        )
        aim = self.known([one.head for one in chosen])
        away = (planes - aim).abs() / network.encoder.plane_std
        terms["planes"] = options.planes * away.mean()
        loss = torch.stack(list(terms.values())).sum()
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        rows = self._compare(averaged["network"], heads=12)
        return {
            "psnr": round(float(psnr(rows[:, 1], rows[:, 0]).mean()), 3),
            "side_psnr": round(float(psnr(rows[:, 3], rows[:, 2]).mean()), 3),
        }

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        rows = self._compare(averaged["network"], heads=6)
        save_sheet(list(rows), path, ("photo", "network", "true side", "network side"))

    def _compare(self, network: Any, heads: int) -> Tensor:
        """Return pictures [heads, 4, 3, h, w] of held-out heads."""
        views, rows = self.test_views, []
        for head in spread_over(views.shards, heads):
            pictures = pictures_of(views.shards, head, ORIGINAL, (0, 1))
            photo = as_photo(network, pictures[:1].to(self.options.device))
            planes = network.encoder(photo)
            made = [shown(network, planes, views, head, view).cpu() for view in (0, 1)]
            rows.append(torch.stack([pictures[0], made[0], pictures[1], made[1]]))
        return torch.stack(rows)
