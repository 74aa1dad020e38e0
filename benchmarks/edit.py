"""Editing a photo: time, memory and agreement of the fast path and the exact one.

    python benchmarks/edit.py                    full size, random weights
    python benchmarks/edit.py FILE.safetensors   a portrait encoder, at its own size

Random weights make a fog. Here they colour an opaque ball instead, so that rays end where those of
a head would.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from triptych.metrics.image_metrics import psnr
from triptych.systems.edit.encoder import TriplaneEncoder
from triptych.systems.edit.fast_encoder import fast_encoder
from triptych.systems.edit.network import PortraitEncoder, PortraitEncoderConfig
from triptych.systems.edit.preprocessing import reference_input
from triptych.weights.loading import load_network

BALL_RADIUS, HARDNESS = 0.35, 400.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--prompt-only", action="store_true", help="leave the views out")
    options = parser.parse_args()
    if options.model:
        network: Any = load_network(options.model, "portrait-encoder")
    else:
        network = PortraitEncoder(PortraitEncoderConfig()).eval().requires_grad_(False)
    rng = torch.Generator().manual_seed(0)
    size = network.config.encoder.image_size
    photo, reference = (torch.rand(1, 3, size, size, generator=rng) * 2 - 1 for _ in range(2))
    print(f"{torch.get_num_threads()} threads, photos of {size} pixels")

    exact_planes, exact = measured("exact", network.encoder, photo, reference)
    fast = fast_encoder(network.encoder)
    measured("warming up", fast, photo, reference, quiet=True)
    fast_planes, quick = measured("fast", fast, photo, reference)
    print(
        f"encoder: {exact / quick:.1f} times faster; planes {agreement(fast_planes, exact_planes)}"
    )
    if options.prompt_only:
        return
    ball = not options.model
    shown = [shaped(network, planes) if ball else planes for planes in (exact_planes, fast_planes)]
    if ball:
        read_ball(network)
    network.portrait(shown[1]).render(size=16)  # compiles
    true, slow = timed("exact view", lambda: network.portrait(shown[0]).render(path="exact").image)
    seen, soon = timed("first fast view", lambda: network.portrait(shown[1]).render().image)
    portrait = network.portrait(shown[1])
    portrait.render()
    timed("next fast view", lambda: portrait.render(portrait.orbit(0.3)).image)
    close = float(psnr(seen, true).mean())
    print(
        f"edit and first view: {(exact + slow) / (quick + soon):.1f} times faster, {close:.1f} dB"
    )
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")


@torch.no_grad()
def measured(
    name: str, encoder: TriplaneEncoder, photo: Tensor, reference: Tensor, quiet: bool = False
) -> tuple[Tensor, float]:
    """Return planes and the CPU seconds of all steps together."""
    prompt = encoder.config.prompt
    tokens, of_prompt = None, 0.0
    features, of_photo = timed(
        f"{name}: features of the photo", lambda: encoder.photo_features(photo), quiet
    )
    if prompt is not None:
        seen = reference_input(reference, prompt)
        tokens, of_prompt = timed(
            f"{name}: tokens of the prompt", lambda: encoder.reference_tokens(seen), quiet
        )
    planes, of_planes = timed(f"{name}: planes", lambda: encoder.planes(features, tokens), quiet)
    return planes, of_photo + of_prompt + of_planes


def shaped(network: PortraitEncoder, planes: Tensor) -> Tensor:
    """Return planes whose first channel is an ellipsoid and whose others are small."""
    side = torch.linspace(-0.5, 0.5, planes.shape[-1])
    squares = side[:, None] ** 2 + side**2
    shaped = planes / planes.std()
    shaped[:, :, 0] = 10 * (BALL_RADIUS**2 - squares * 2 / 3)
    return shaped


@torch.no_grad()
def read_ball(network: PortraitEncoder) -> None:
    """Make the decoder read density off the first channel and colours off the others."""
    first, _, last = network.renderer.decoder.net
    first.weight[0] = 0
    first.weight[0, 0] = HARDNESS
    first.weight[1:, 0] = 0
    first.bias[0] = 20
    last.weight[0] = 0
    last.weight[0, 0] = 8
    last.weight[1:, 0] = 0
    last.bias[0] = -20


def agreement(found: Tensor, true: Tensor) -> str:
    error = (found - true).square().mean().sqrt() / true.std()
    return f"planes differ by {100 * float(error):.2g} % of their deviation"


def timed(what: str, work: Callable[[], Any], quiet: bool = False) -> tuple[Any, float]:
    """Return what work returns and its CPU seconds, which other programs change least."""
    began, wall = time.process_time(), time.perf_counter()
    result = work()
    seconds, wall = time.process_time() - began, time.perf_counter() - wall
    if not quiet:
        print(f"{what}: {seconds:.2f} CPU seconds, {wall:.2f} by the clock", flush=True)
    return result, seconds


if __name__ == "__main__":
    main()
