"""A stylised frame of PStyle-3D at its published size: time, memory, agreement of both paths.

    python benchmarks/adapt.py

Weights are random, modres is "double" as in the released code. The exact path multiplies the style
in at every call; the fast one folds it once per style, makes planes once per head and style, and
renders through compiled rays and networks with the head's style multiplied in. Times are
processor seconds; CPUs that multiply bfloat16 in hardware use it for "fast".
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import TypeVar

import torch

from triptych.metrics.image_metrics import psnr
from triptych.models.eg3d import ffhq512_128_config
from triptych.portrait import TriPlanePortrait
from triptych.systems.adapt.generator import ModRes, StyledGenerator, StyledGeneratorConfig

Result = TypeVar("Result")
QUIET = 0.25
"""Random affine maps double some factors and undo others; a quarter is about a trained spread."""


@torch.no_grad()
def main() -> None:
    generator = random_generator("residual")
    ws = generator.mapping(generator.latent(0))
    camera = generator.config.view.camera()
    # the codes of an untrained encoder hardly differ from picture to picture
    w_style = torch.randn(ws.shape, generator=torch.Generator().manual_seed(2))
    print(f"{torch.get_num_threads()} threads, frame of {generator.config.image_size} pixels")
    edits = generator.edits(w_style)
    # the released code computes the branch of each residual block before it overwrites it
    _, released = timed(
        "frame as the released code computes it",
        lambda: generator.synthesis(ws, camera, edits=edits),
    )
    print(f"most memory: {peak_gigabytes():.2f} GB")
    generator = random_generator("double")
    edits = generator.edits(w_style)
    exact, slow = timed("exact frame", lambda: generator.synthesis(ws, camera, edits=edits))
    folded, _ = timed("folding a style, once per style", lambda: generator.folded(w_style))
    TriPlanePortrait.from_generator(folded, ws).render(camera)  # compiles
    portrait, planes = timed(
        "planes, once per head and style", lambda: TriPlanePortrait.from_generator(folded, ws)
    )
    first, start = timed("first frame, grid included", lambda: portrait.render(camera))
    cameras = portrait.orbit(torch.linspace(-0.3, 0.3, 4))
    _, frame = timed("frame, of four", lambda: portrait.render(cameras), share=4)
    close = float(psnr(first.image.clamp(-1, 1), exact.image.clamp(-1, 1)).mean())
    print(f"path: {portrait.path_taken()}, {close:.1f} dB to the exact frame")
    for what, seconds in (("the released code", released), ("the exact path", slow)):
        head, view = seconds / (planes + start), seconds / frame
        print(f"than {what}: a new head {head:.1f} times faster, a new view {view:.1f} times")
    print(f"most memory: {peak_gigabytes():.2f} GB")


def random_generator(modres: ModRes) -> StyledGenerator:
    """Return the published size with random weights, small style factors and some surface."""
    config = StyledGeneratorConfig.around(ffhq512_128_config(), modres=modres, rgb_gain="twice")
    generator = StyledGenerator(config).eval().requires_grad_(False)
    for name, tensor in generator.state_dict().items():
        if ".affine1.weight" in name:
            tensor *= QUIET
    generator.decoder.net[2].bias[0] += 4
    return generator


def timed(what: str, work: Callable[[], Result], *, share: int = 1) -> tuple[Result, float]:
    """Return what some work gives and the processor seconds that it took, and print them."""
    started = time.process_time()
    result = work()
    seconds = (time.process_time() - started) / share
    print(f"{what}: {seconds:.2f} CPU s")
    return result, seconds


def peak_gigabytes() -> float:
    """Return the most memory that the process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
