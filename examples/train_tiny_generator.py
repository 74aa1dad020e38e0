"""Train a generator of heads in about a minute: data, training, portraits.

    python examples/train_tiny_generator.py --out tiny/

Renders synthetic heads from CC0 meshes, trains EG3D's generator at avatar size on them, and draws
heads from the result. A minute gives blurred heads: docs/training.md has the commands that made
the embedded weights, which differ in heads and hours only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import triptych
from triptych.avatars.sets.shards import ShardPlan, write_shards
from triptych.camera import orbit
from triptych.export.pictures import save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.training import generator as recipe
from triptych.training.loop import LoopConfig, train


def main(words: list[str] | None = None) -> None:
    """Read the options, render the data and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("--heads", type=int, default=48, help="heads to train on")
    parser.add_argument("--minutes", type=float, default=0.75, help="time of the training")
    parser.add_argument("--steps", type=int, help="train for so many steps instead")
    parser.add_argument("--out", type=Path, default=Path("tiny"), help="folder of everything")
    options = parser.parse_args(words)

    # Seeds below 10,000 are never trained on: they show what a model can do.
    data, unseen = options.out / "data", options.out / "unseen"
    write_shards(data, ShardPlan(first_seed=100_000, num_heads=options.heads, num_views=3))
    write_shards(unseen, ShardPlan(first_seed=0, num_heads=4, num_views=2))

    # A recipe owns networks, loss and evaluation; the loop is shared by all recipes.
    heads = recipe.build(
        recipe.Options(str(data), str(unseen), batch_heads=3, batch_views=2, patch=16)
    )
    minutes = None if options.steps else options.minutes
    loop = LoopConfig(
        minutes=minutes, steps=options.steps, learning_rate=3e-3, weight_rate_gain=8.0,
        warmup_steps=10, ema_decay=0.9, log_every_s=10.0,
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
