"""Five steps of the full-size 3DpSp with the full-size EG3D, exact and fast, in one run.

    python benchmarks/full_size_inversion.py [--repeat 3] [--threads 2]

Weights are random: they decide neither sizes nor, on the exact path, times. The fast path skips
empty space, of which a random field has none; trained heads have much.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import torch

from triptych.camera import frontal_camera
from triptych.models.eg3d import TriPlaneGenerator, ffhq512_128_config
from triptych.systems.invert.encoder import PspEncoder, official_config
from triptych.systems.invert.fast_encoder import fast_encoder
from triptych.systems.invert.restyle import FastSynthesis, GeneratorSynthesis, restyle_steps


def main() -> None:
    """Time both paths in turns and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = TriPlaneGenerator(ffhq512_128_config()).eval().requires_grad_(False)
    encoder = PspEncoder(official_config()).eval().requires_grad_(False)
    picture = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ways = {
        "exact": (encoder, GeneratorSynthesis(generator)),
        "fast": (fast_encoder(encoder), FastSynthesis(generator)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(options.repeat + 1):  # the first one compiles and fills caches
        for name, (steps_by, synthesis) in ways.items():
            count = 1 if turn == 0 else None
            started = time.perf_counter()
            made = restyle_steps(steps_by, synthesis, picture, frontal_camera(), num_steps=count)
            num_steps = len([step.image.shape for step in made])
            if turn > 0:
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{name}: {num_steps} steps and the mean picture in {median:.2f} s")
    print(f"{medians['exact'] / medians['fast']:.2f} times faster")


if __name__ == "__main__":
    main()
