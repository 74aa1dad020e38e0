"""A generator, shards and options small enough to train an encoder in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from triptych.avatars.sets.shards import ShardPlan, random_cameras, write_shard
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.eg3d import TriPlaneGenerator
from triptych.systems.invert.encoder import PspConfig, PspEncoder, RestyleConfig
from triptych.systems.invert.training.recipe import Options
from triptych.systems.invert.training.setup import latent_statistics, normal_latents
from triptych.training.head_views import ViewSettings
from triptych.weights import save_module

SIZE = 32
VIEWS = 3


def encoder_config(generator: TriPlaneGenerator, **changes) -> PspConfig:
    """Return an encoder of toy size that fits a generator."""
    settings = {
        "image_size": SIZE,
        "widths": (4, 6, 8, 8),
        "units": (1, 1, 1, 1),
        "squeeze": "mean",
        "head_width": 8,
        "heads": (2, 2, generator.num_ws - 4),
        "w_dim": generator.config.w_dim,
        "linear_rate": 16.0,
        "camera_code": 4,
        "restyle": RestyleConfig(
            num_steps=3, mean_view="target", mean_noise="const", render_size=16
        ),
        **changes,
    }
    return PspConfig(**settings)


def write_own_shards(folder: Path, generator: TriPlaneGenerator, first_seed: int, heads: int):
    """Write shards whose pictures are the generator's own, so that they can be inverted."""
    rng = np.random.default_rng(first_seed)
    plan = ShardPlan(first_seed, heads, num_views=VIEWS)
    rows = []
    for head in range(heads):
        attributes = rng.standard_normal(ATTRIBUTE_DIM).astype(np.float32)
        cameras = random_cameras(plan, rng)
        rows.append(_head(generator, first_seed + head, attributes, cameras))
    folder.mkdir()
    write_shard(folder / f"shard_{first_seed:07d}", rows)
    return folder


def write_options(folder: Path, generator: TriPlaneGenerator, **changes) -> Options:
    """Write generator, encoder and shards, and return options that name them."""
    save_module(folder / "generator.safetensors", generator, dtype=None)
    encoder = PspEncoder(encoder_config(generator))
    for head in encoder.styles:  # a new encoder takes no step
        torch.nn.init.normal_(
            head.linear.weight, std=0.02, generator=torch.Generator().manual_seed(1)
        )
    latents = normal_latents(200, generator.config.z_dim, 0)
    encoder.set_latent_statistics(*latent_statistics(generator, latents))
    save_module(folder / "start.safetensors", encoder, dtype=None)
    settings = {
        "generator": str(folder / "generator.safetensors"),
        "start_from": str(folder / "start.safetensors"),
        "shards": str(write_own_shards(folder / "shards", generator, 100_000, 4)),
        "test_shards": str(write_own_shards(folder / "test", generator, 0, 2)),
        "own_heads": 2,
        "domain_randomisation": 0.0,
        "batch": 4,
        "warm_up": 0.0,
        "identity_every": 2,
        "views": ViewSettings(patch=16, strides=(1, 2), whole_size=16, coarse=8, fine=4),
        "networks": "embedded",
        **changes,
    }
    return Options(**settings)


def _head(generator, seed, attributes, cameras) -> dict[str, np.ndarray]:
    from triptych.camera import Camera, frontal_camera
    from triptych.ops.colour import to_uint8

    intrinsics = frontal_camera().intrinsics.expand(VIEWS, -1, -1)
    with torch.no_grad():
        ws = generator.mapping(torch.from_numpy(attributes)[None])
        shown = generator.synthesis(ws, Camera(torch.from_numpy(cameras), intrinsics))
    opacity = (shown.alpha[:, 0] * 255).round().byte().numpy()
    return {
        "seeds": np.int64(seed),
        "attributes": attributes,
        "cam2world": cameras,
        "variants": np.array(["original"], dtype="<U48"),
        "rgb": to_uint8(shown.image)[None].numpy(),
        "alpha": opacity,
        "depth": np.ones((VIEWS, SIZE, SIZE), np.float16),
        "regions": np.ones((VIEWS, SIZE, SIZE), np.uint8),
    }
