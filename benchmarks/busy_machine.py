"""What other busy programs cost a computation on all cores, by how long its threads spin.

    python benchmarks/busy_machine.py [--steps 25] [--repeat 3]

Times steps of a refinement (planes of the embedded generator forward and backward) in fresh
processes: alone and beside as many busy neighbours as there are cores; as OpenMP would wait by
itself, as the command `triptych` sets it, without spinning, and on one thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from triptych.runs.waiting_threads import SPINS

SETTINGS: dict[str, Mapping[str, str]] = {
    "OpenMP's own": {},
    f"{SPINS} spins (triptych)": {"GOMP_SPINCOUNT": str(SPINS)},
    "no spinning": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def time_steps(steps: int) -> float:
    """Return the seconds of so many steps in this process, after two untimed ones."""
    import torch

    from triptych.ops.precision import half_precision_where_fast
    from triptych.weights import load_generator

    generator = load_generator("avatar-generator").train().requires_grad_(False)
    latent = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(0))
    ws = generator.mapping(latent).detach().requires_grad_(True)

    def step() -> None:
        with half_precision_where_fast(ws.device):
            planes = generator.planes(ws)
        torch.autograd.grad(planes.float().square().mean(), ws)

    step()
    step()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - started


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep so many other processes busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def seconds(setting: Mapping[str, str], steps: int, repeat: int) -> float:
    """Return the median seconds of fresh processes."""
    command = [sys.executable, __file__, "--here", "--steps", str(steps)]
    environment = {**os.environ, **setting}
    runs = [
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        for _ in range(repeat)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    if options.here:
        print(time_steps(options.steps))
        return
    cores = os.cpu_count() or 1
    print(f"| threads wait | alone, s | beside {cores} busy programs, s |\n|---|---|---|")
    for name, setting in SETTINGS.items():
        alone = seconds(setting, options.steps, options.repeat)
        with neighbours(cores):
            beside = seconds(setting, options.steps, options.repeat)
        print(f"| {name} | {alone:.2f} | {beside:.2f} |")


if __name__ == "__main__":
    main()
