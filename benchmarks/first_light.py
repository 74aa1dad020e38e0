"""How long the main job takes on this machine: run on a quiet one.

    python benchmarks/first_light.py [--stylize standard] [--repeat 3]

Prints a table: `triptych --help`, one head with a 60-frame turntable at 128 pixels, and the stages
of `stylize`. Each command is a fresh process; figures are medians of the repeats, `stylize` runs
once. Peak memory is that of the largest child process so far.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(arguments: list[str], repeat: int) -> float:
    """Return the median wall time of a triptych command in seconds."""
    times = []
    for _ in range(repeat):
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "triptych", *arguments], check=True, capture_output=True
        )
        times.append(time.monotonic() - started)
    return statistics.median(times)


def peak_gigabytes() -> float:
    """Return the peak memory of the largest finished child process."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stylize", default="standard", help="draft, standard or high")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rows = [("triptych --help", seconds(["--help"], options.repeat))]
    with tempfile.TemporaryDirectory() as folder:
        heads = ["generate", "--seeds", "7", "--turntable", "--out", f"{folder}/heads"]
        rows.append(("generate + 60 frames", seconds([*heads, "--overwrite"], options.repeat)))
        out = Path(folder) / "bronze"
        words = ["stylize", "a bronze statue", "--identity", "7", "--out", str(out)]
        total = seconds([*words, "--quality", options.stylize], repeat=1)
        rows.append((f"stylize, {options.stylize}, all files", total))
        stages = json.loads((out / "run.json").read_text())
        rows += [(f"  {stage}", spent) for stage, spent in _stage_seconds(stages).items()]
    print(f"cores {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    print("| work | seconds |\n|---|---|")
    for name, spent in rows:
        print(f"| {name} | {spent:.1f} |")
    print(f"| peak memory, GB | {peak_gigabytes():.1f} |")


def _stage_seconds(record: dict) -> dict[str, float]:
    """Find the stage times in a run's record."""
    if isinstance(record.get("seconds"), dict):
        return record["seconds"]
    nested = [_stage_seconds(value) for value in record.values() if isinstance(value, dict)]
    return next((found for found in nested if found), {})


if __name__ == "__main__":
    main()
