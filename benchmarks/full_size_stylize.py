"""FF3D at the size of the published networks, with random weights, on this machine.

    python benchmarks/full_size_stylize.py [--folder DIR] [--compare] [--operations]

Builds EG3D's ffhq512-128, InstructPix2Pix in bfloat16, an Image-to-Triplane network for EG3D's
planes and LPIPS over VGG16, and stylises a head with two views, two denoising steps and two fitting
steps: it proves shapes, memory and going on after a kill, not looks. The process is killed once
while it edits and once while it fits; the third one goes on and ends the run. Prints what each part
cost and what a whole run would cost, in seconds of one core. With --compare an uninterrupted run
follows, whose planes must be the same; with --operations only the arithmetic is counted.

Needs about 10 GB of memory. Set OMP_NUM_THREADS=1 for figures that can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from full_size_costs import print_costs, print_operations

PROMPT = "a bronze statue"
VIEWS, STEPS = 2, 2
KILLED_AT = ("editing views:1", "fitting:1")
MARKS, REPORT = "marks.jsonl", "report.json"


class Stopwatch:
    """Adds up the processor time of networks while they run.

    Attributes:
        seconds: By name.
        calls: By name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)

    def watch(self, name: str, network: Any) -> None:
        """Time every forward pass of a network."""
        begun: list[float] = []

        def begin(*unused: Any) -> None:
            begun.append(time.process_time())

        def end(*unused: Any) -> None:
            self.seconds[name] += time.process_time() - begun.pop()
            self.calls[name] += 1

        network.register_forward_pre_hook(begin)
        network.register_forward_hook(end)


class Log:
    """Writes down how far the run is, so that it can be read after a kill."""

    def __init__(self, folder: Path, watch: Stopwatch) -> None:
        self.path, self.watch = folder / MARKS, watch
        self.process = os.getpid()

    def mark(self, stage: str, done: int) -> None:
        """Append where the run is, what it has cost so far, and its peak memory."""
        line = {
            "process": self.process,
            "stage": stage,
            "done": done,
            "wall_s": time.monotonic(),
            "busy_s": time.process_time(),
            "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "networks": {
                name: [self.watch.calls[name], seconds]
                for name, seconds in self.watch.seconds.items()
            },
        }
        with self.path.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
            os.fsync(stream.fileno())


def stylise(folder: Path, killed_at: str) -> None:
    """Run, or go on with, the run in a folder as one process; die where that is asked for."""
    watch = Stopwatch()
    log = Log(folder, watch)
    log.mark("start", 0)
    import torch
    from full_size_models import (
        random_editor,
        random_generator,
        random_image_to_triplane,
        random_perceptual,
    )

    from triptych.editors.image_editor import EditorConfig
    from triptych.systems.stylize.pipeline import StylizePipeline
    from triptych.systems.stylize.settings import StylizeSettings

    log.mark("building", 0)
    generator = random_generator()
    # Of three steps at the paper's noise level of 0.9, the last two are run.
    editor = random_editor(EditorConfig(num_steps=STEPS + 1))
    watch.watch("UNet", editor.unet)
    watch.watch("encoder", editor.vae.encoder)
    watch.watch("decoder", editor.vae.decoder)
    watch.watch("text encoder", editor.text_encoder)
    pipeline = StylizePipeline(
        generator,
        random_image_to_triplane(generator),
        editor,
        random_perceptual(),
        name="full size, random weights",
        seconds_between_checkpoints=0.0,
    )
    log.mark("built", 0)

    def progress(stage: str, done: int, total: int) -> None:
        log.mark(stage, done)
        sys.stderr.write(f"{stage}: {done}/{total}, {time.process_time():.0f} s of one core\n")
        if f"{stage}:{done}" == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = StylizeSettings(
        num_yaw=1,
        num_pitch=1,
        edit_batch=1,
        steps=STEPS,
        batch_views=VIEWS,
        evaluate_every=STEPS,
        held_out_fraction=0.5,
    )
    done = pipeline(PROMPT, work_dir=folder, progress=progress, settings=settings)
    log.mark("end", 0)
    done.portrait.save(folder / "portrait.safetensors", exact=True)
    seen = done.portrait.render()
    assert seen.image.shape == (1, 3, 512, 512)
    assert bool(seen.image.isfinite().all())
    report = {"steps": done.report["steps"], "threads": torch.get_num_threads()}
    (folder / REPORT).write_text(json.dumps(report))


def run_process(folder: Path, killed_at: str = "") -> None:
    """Run one process and see that it ended as it should."""
    command = [sys.executable, __file__, "--one", str(folder), "--killed-at", killed_at]
    code = subprocess.run(command, check=False).returncode
    expected = -signal.SIGKILL if killed_at else 0
    if code != expected:
        sys.exit(f"the process ended with {code}; expected {expected}")


def run_with_kills(folder: Path) -> None:
    """Run until the end with two kills on the way, and see that no finished work was repeated."""
    views = folder / "views"
    run_process(folder, KILLED_AT[0])
    assert sorted(path.name for path in views.glob("*.png")) == ["view_000.png"]
    first_view = (views / "view_000.png").stat().st_mtime_ns
    run_process(folder, KILLED_AT[1])
    assert (folder / "resume" / "fitting.safetensors").is_file()
    run_process(folder)
    assert (views / "view_000.png").stat().st_mtime_ns == first_view
    assert json.loads((folder / REPORT).read_text())["steps"] == STEPS
    last = marks(folder)[-1]["process"]
    repeated = [
        mark
        for mark in marks(folder)
        if mark["process"] == last and mark["stage"] == "fitting" and mark["done"] == 0
    ]
    assert not repeated, "the last process fitted from the start"


def marks(folder: Path) -> list[dict[str, Any]]:
    """Return all that the processes of a run wrote down."""
    return [json.loads(line) for line in (folder / MARKS).read_text().splitlines()]


def assert_same(first: Path, second: Path) -> None:
    """See that two runs made the same planes."""
    from triptych.portrait import TriPlanePortrait

    one, other = (
        TriPlanePortrait.load(path / "portrait.safetensors").planes for path in (first, second)
    )
    difference = float((one - other).abs().max() / other.abs().max())
    print(f"planes after two kills and without any: largest relative difference {difference:.1e}")
    assert difference < 1e-5


def main() -> None:
    """Run everything and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the run here, or go on with it")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--operations", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--killed-at", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        stylise(options.one, options.killed_at)
        return
    if not options.operations:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (options.folder or Path(temporary)) / "killed"
            whole = folder.with_name("whole")
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / REPORT).exists():
                run_with_kills(folder)
            if options.compare:
                whole.mkdir(exist_ok=True)
                if not (whole / REPORT).exists():
                    run_process(whole)
                assert_same(folder, whole)
            threads = json.loads((folder / REPORT).read_text())["threads"]
            print(f"cores {os.cpu_count()}, threads {threads}, load {os.getloadavg()[0]:.1f}")
            print_costs(marks(folder))
    print_operations()


if __name__ == "__main__":
    main()
