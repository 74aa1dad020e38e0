"""Train a generator of heads in a few minutes: data, network, training, portraits.

    python examples/train_tiny_generator.py --out tiny/

Renders synthetic heads from CC0 meshes, trains a narrow generator of EG3D's class on them, and
draws heads of seeds that it has not seen. So short a training gives the shape of a head, skin and
hair, and no face yet: docs/training.md has the commands that made the embedded weights, with a
hundred times the heads, numbers and time.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import triptych
from triptych.avatars.sets.shards import ShardPlan, write_shards
from triptych.camera import orbit
from triptych.export.pictures import save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.eg3d import EG3DConfig, TriPlaneGenerator, avatar_config
from triptych.training import generator as recipe
from triptych.training.loop import LoopConfig, train
from triptych.weights import save_module

SIZE = 64
"""Side of pictures and planes; the embedded generator has 128."""


def narrow_config() -> EG3DConfig:
    """Return the embedded generator's configuration, at half the size and a fraction of the width.

    Every number of a network is in its configuration, which its weight file carries.
    """
    full = avatar_config(ATTRIBUTE_DIM)
    backbone = replace(
        full.backbone, plane_size=SIZE, plane_channels=8, channel_base=1024, channel_max=64
    )
    decoder = replace(full.decoder, num_hidden=32)
    return replace(
        full, w_dim=64, image_size=SIZE, render_size=SIZE, backbone=backbone, decoder=decoder
    )


def main(words: list[str] | None = None) -> None:
    """Read the options, render the data and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("--heads", type=int, default=60, help="heads to train on")
    parser.add_argument("--steps", type=int, default=300, help="steps of the training")
    parser.add_argument("--out", type=Path, default=Path("tiny"), help="folder of everything")
    options = parser.parse_args(words)

    # Seeds below 10,000 are never trained on: they show what a model can do.
    data, unseen = options.out / "data", options.out / "unseen"
    write_shards(
        data, ShardPlan(first_seed=100_000, num_heads=options.heads, num_views=3, size=SIZE)
    )
    write_shards(unseen, ShardPlan(first_seed=0, num_heads=4, num_views=3, size=SIZE))

    # A recipe owns networks, loss and evaluation; the loop is shared by all recipes.
    start = options.out / "start.safetensors"
    save_module(start, TriPlaneGenerator(narrow_config()), licence="Apache-2.0")
    heads = recipe.build(
        recipe.Options(
            shards=str(data), test_shards=str(unseen), start_from=str(start),
            batch_heads=4, batch_views=2, patch=16, strides=(1, 2, 3),
        )
    )  # fmt: skip
    loop = LoopConfig(
        steps=options.steps, learning_rate=2e-3, weight_rate_gain=8.0,
        warmup_steps=20, ema_decay=0.95, log_every_s=10.0,
    )  # fmt: skip
    result = train(heads, loop, options.out / "run", resume=False, report=print)
    weights = options.out / "generator.safetensors"
    recipe.export(heads, result, weights)

    generate = triptych.GeneratePipeline.from_pretrained(weights)
    rows = [view_pictures(generate(seed), orbit(3), 128) for seed in (0, 1)]
    save_png(options.out / "heads.png", picture_sheet(rows))
    print("written to", options.out)


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
