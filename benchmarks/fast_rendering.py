"""How much faster the fast path is than the exact one, and how far off: run on a quiet machine.

    python benchmarks/fast_rendering.py [--repeat 5] [--portraits 8] [--threads 2] [--opaque-only]

Prints two tables, of times and of the errors on opaque heads. The network is EG3D's ffhq512-128 at
full size with random weights, whose density is random everywhere: no space is empty, nothing is
hidden. For the second table its decoder is made opaque (`OPAQUE`), as trained ones are. The avatar
portrait is the embedded generator's. Exact and fast take turns in one process on the same threads;
figures are medians. Memory is that of fresh processes: the peak while one portrait is made and
seen, less what the process held with the weights loaded.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.models.eg3d import TriPlaneGenerator, ffhq512_128_config
from triptych.ops.precision import RenderPath
from triptych.portrait import TriPlanePortrait
from triptych.systems.generate.pipeline import GeneratePipeline

GRID = 256
AVATAR_SEED = 7
AVATAR_SEEDS = (7, 12)
YAWS = (-0.5, -0.35, -0.2, -0.05, 0.1, 0.25, 0.4, 0.55)
OPAQUE = ((1.0, 0.0), (2.0, 2.0), (4.0, 2.0))
"""Gains of the decoder's last layer and offsets of its density: random weights alone are fog."""
PITCHES = (0.1, -0.15, 0.2, 0.0)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        work: What was done.
        exact: Seconds on the exact path, one per repeat.
        fast: Seconds on the fast path, one per repeat.
        error: How far the results differ.
        target: What was asked for.
    """

    work: str
    exact: Sequence[float]
    fast: Sequence[float]
    error: str
    target: str

    def __str__(self) -> str:
        exact, fast = statistics.median(self.exact), statistics.median(self.fast)
        ratio = f"{exact / fast:.1f}x"
        return (
            f"| {self.work} | {exact:.3f} | {fast:.3f} | {ratio} | {self.error} | {self.target} |"
        )


def take_turns(
    exact: Callable[[], object], fast: Callable[[], object], repeat: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of both, measured in turns after one untimed run of the fast one."""
    fast()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        for work, spent in zip((exact, fast), times, strict=True):
            started = time.perf_counter()
            work()
            spent.append(time.perf_counter() - started)
    return times


def psnr(actual: Tensor, expected: Tensor) -> float:
    """Return the peak signal-to-noise ratio of images in [-1, 1] in dB."""
    return 10 * math.log10(4 / float((actual - expected).square().mean()))


def relative(actual: Tensor, expected: Tensor) -> float:
    """Return the largest error relative to the largest value."""
    return float((actual - expected).abs().max() / expected.abs().max())


def random_generator() -> TriPlaneGenerator:
    """Return ffhq512-128 at full size with random weights."""
    return TriPlaneGenerator(ffhq512_128_config()).eval().requires_grad_(False)


def style_codes(generator: TriPlaneGenerator, seed: int) -> Tensor:
    """Return style codes of a random latent."""
    latent = torch.randn(1, 512, generator=torch.Generator().manual_seed(seed))
    return generator.mapping(latent)


def camera_of(generator: TriPlaneGenerator, index: int) -> Camera:
    """Return one of the test cameras."""
    view = generator.config.view
    return view.camera(YAWS[index % len(YAWS)], PITCHES[index % len(PITCHES)])


def errors_of_portraits(generator: TriPlaneGenerator, count: int) -> dict[str, list[float]]:
    """Compare the paths on test portraits, each from a camera of its own."""
    found: dict[str, list[float]] = {"next": [], "next float32": [], "new": []}
    for index in range(count):
        ws, camera = style_codes(generator, 100 + index), camera_of(generator, index)
        portrait = TriPlanePortrait.from_generator(generator, ws, path="exact")
        exact = portrait.render(camera, path="exact").image
        found["next"].append(psnr(portrait.render(camera).image, exact))
        float32 = portrait.render(camera, path="fast-float32").image
        found["next float32"].append(relative(float32, exact))
        found["new"].append(
            psnr(TriPlanePortrait.from_generator(generator, ws).render(camera).image, exact)
        )
    return found


def official_size_rows(repeat: int, portraits: int) -> tuple[list[Row], str]:
    """Measure the full-size network; also returns which path the default took."""
    generator = random_generator()
    ws, camera = style_codes(generator, 0), camera_of(generator, 4)
    portrait = TriPlanePortrait.from_generator(generator, ws)

    def seen(path: RenderPath) -> Callable[[], object]:
        return lambda: portrait.render(camera, path=path)

    def made_and_seen(path: RenderPath) -> Callable[[], object]:
        return lambda: TriPlanePortrait.from_generator(generator, ws, path=path).render(
            camera, path=path
        )

    def grid(path: RenderPath) -> Callable[[], object]:
        return lambda: portrait.geometry_grid(GRID, path=path)

    next_view = take_turns(seen("exact"), seen("fast"), repeat)
    in_float32 = take_turns(seen("exact"), seen("fast-float32"), repeat)
    first_view = take_turns(made_and_seen("exact"), made_and_seen("fast"), repeat)
    grids = take_turns(grid("exact"), grid("fast"), max(1, repeat // 2))
    density = [portrait.geometry_grid(GRID, path=path) for path in ("fast", "exact")]
    errors = errors_of_portraits(generator, portraits)
    worst = {name: min(values) for name, values in errors.items()}
    rows = [
        Row("next view, 512 px", *next_view, f"{worst['next']:.1f} dB", "4x, 45 dB"),
        Row("new portrait, first view", *first_view, f"{worst['new']:.1f} dB", "3.5x, 45 dB"),
        Row(
            "next view, float32 only",
            *in_float32,
            f"{max(errors['next float32']):.1e} relative",
            "2x, 1e-4",
        ),
        Row(f"{GRID}^3 density grid", *grids, f"{relative(*density):.1e} relative", "8x, 1e-3"),
    ]
    return rows, portrait.render(camera).path


def opaque_lines(portraits: int) -> list[str]:
    """Compare the paths on heads of growing opacity; bfloat16 wherever it runs, fast or not."""
    generator = random_generator()
    weights = copy.deepcopy(generator.decoder.state_dict())
    lines = ["| decoder | mean alpha | float32 | bfloat16 |", "|---|---|---|---|"]
    for gain, offset in OPAQUE:
        generator.decoder.load_state_dict(weights)
        last = generator.decoder.net[2]
        last.weight *= gain
        last.bias[0] += offset
        alphas, in_float32, in_bfloat16 = [], [], []
        for index in range(portraits):
            ws, camera = style_codes(generator, 100 + index), camera_of(generator, index)
            portrait = TriPlanePortrait.from_generator(generator, ws, path="exact")
            exact = portrait.render(camera, path="exact")
            alphas.append(float(exact.alpha.mean()))
            in_float32.append(psnr(portrait.render(camera, path="fast-float32").image, exact.image))
            with mock.patch(
                "triptych.portrait.fast_renderer.fast_dtype", return_value=torch.bfloat16
            ):
                in_bfloat16.append(psnr(portrait.render(camera).image, exact.image))
        lines.append(
            f"| gain {gain:g}, density {offset:+g} | {statistics.mean(alphas):.2f} | "
            f"{min(in_float32):.1f} dB | {min(in_bfloat16):.1f} dB |"
        )
    return [*lines, avatar_line()]


def avatar_line() -> str:
    """Compare the paths on the embedded generator's heads: opaque, with empty space around."""
    psnrs, errors, alphas = [], [], []
    for seed in AVATAR_SEEDS:
        portrait = GeneratePipeline.from_pretrained()(seed)
        cameras = portrait.config.view.camera(torch.tensor(YAWS[::3]), torch.tensor(PITCHES[:3]))
        exact = portrait.render(cameras, path="exact")
        fast = portrait.render(cameras, path="fast-float32")
        psnrs += [psnr(*pair) for pair in zip(fast.image, exact.image, strict=True)]
        errors.append(float((fast.image - exact.image).abs().max()))
        alphas.append(float((fast.alpha - exact.alpha).abs().max()))
    return (
        f"avatars, float32: {min(psnrs):.1f} dB; largest error of the picture {max(errors):.1e}, "
        f"of alpha {max(alphas):.1e}"
    )


def avatar_row(repeat: int) -> Row:
    """Measure a portrait of the embedded generator at its full size."""
    portrait = GeneratePipeline.from_pretrained()(AVATAR_SEED)
    camera = portrait.config.view.camera(YAWS[4], PITCHES[0])
    exact, fast = take_turns(
        lambda: portrait.render(camera, path="exact"), lambda: portrait.render(camera), 4 * repeat
    )
    cameras = portrait.config.view.camera(torch.tensor(YAWS))
    shown = portrait.render(cameras).image, portrait.render(cameras, path="exact").image
    worst = min(psnr(*pair) for pair in zip(*shown, strict=True))
    size = portrait.image_size
    per_second = 1 / statistics.median(fast)
    return Row(
        f"avatar, next view, {size} px",
        exact,
        fast,
        f"{worst:.1f} dB, {per_second:.0f} frames/s",
        "6x, 45 dB, 15 frames/s",
    )


def peak_above_weights(path: RenderPath) -> float:
    """Return the gigabytes that a portrait and its first view need beside the weights (Linux)."""
    command = [sys.executable, __file__, "--peak-of", path]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(path: RenderPath) -> None:
    """Make and see one portrait in this process and print the peak above the weights."""
    generator = random_generator()
    ws, camera = style_codes(generator, 0), camera_of(generator, 0)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    TriPlanePortrait.from_generator(generator, ws, path=path).render(camera, path=path)
    print(_memory("VmHWM") - before)


def _memory(name: str) -> float:
    """Return a figure of /proc/self/status in gigabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**20


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--portraits", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--opaque-only", action="store_true", help="only errors of opaque heads")
    parser.add_argument("--peak-of", choices=["exact", "fast", "fast-float32"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.opaque_only:
        print(*opaque_lines(options.portraits), sep="\n")
        return
    if options.peak_of:
        print_peak(options.peak_of)
        return
    rows, path = official_size_rows(options.repeat, options.portraits)
    rows.append(avatar_row(options.repeat))
    load = os.getloadavg()[0]
    print(f"threads {options.threads}, load {load:.1f}, torch {torch.__version__}, ran {path}")
    print(
        "| work | exact, s | fast, s | ratio | error of fast | target |\n|---|---|---|---|---|---|"
    )
    for row in rows:
        print(row)
    print(*opaque_lines(options.portraits), sep="\n")
    if Path("/proc/self/clear_refs").exists():
        peaks = [peak_above_weights(path) for path in ("exact", "fast", "fast-float32")]
        print(
            "peak memory above the weights, GB: "
            + "exact {:.2f}, fast {:.2f}, float32 {:.2f}".format(*peaks)
        )


if __name__ == "__main__":
    main()
