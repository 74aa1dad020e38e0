"""What FF3D costs at official size: measured parts, a whole run, and the same on a GPU.

A whole run is the preset "standard": 101 views, 18 of 20 denoising steps of three branches each,
260 fitting steps of four views.
"""

from __future__ import annotations

from typing import Any

from full_size_flops import operations

from triptych.systems.stylize.settings import preset

RUN = preset("standard")
DENOISING_STEPS, BRANCHES = 18, 3
GPU = "A100, the paper's GPU: 312 TFLOP/s of dense bfloat16 at most"
GPU_PEAK_TFLOPS = 312.0
GPU_SHARES = (0.1, 0.3)
"""Part of the peak that such networks reach: eager PyTorch, and compiled with large batches."""

Marks = list[dict[str, Any]]


def print_costs(marks: Marks) -> None:
    """Print what each part took of one core, and what a whole run would take."""
    parts = _parts(marks)
    steps_ratio = _operations_of_step(RUN.batch_views) / _operations_of_step(2)
    views, steps = RUN.num_views, RUN.steps
    denoised = parts["one denoising step of a view"] * DENOISING_STEPS * views
    coded = (parts["encoding a view"] + parts["decoding a view"]) * views
    fitted = parts["one fitting step of two views"] * steps_ratio * steps
    rendered = parts["rendering a view"] * views
    print("\n| part | seconds of one core |\n|---|---|")
    for name, seconds in parts.items():
        print(f"| {name} | {seconds:.1f} |")
    print("\n| stage of a whole run | hours of one core |\n|---|---|")
    whole = {"rendering": rendered, "editing": denoised + coded, "fitting": fitted}
    for name, seconds in {**whole, "all": sum(whole.values())}.items():
        print(f"| {name} | {seconds / 3600:.2f} |")
    print("\n| when | peak memory so far, GB |\n|---|---|")
    peaks: dict[str, float] = {}
    for mark in marks:
        peaks[mark["stage"]] = max(peaks.get(mark["stage"], 0.0), mark["peak_gb"])
    for stage, peak in peaks.items():
        print(f"| {stage} | {peak:.1f} |")


def print_operations() -> None:
    """Print the arithmetic of a whole run and what it means on one GPU."""
    views, steps = RUN.num_views, RUN.steps
    counts = {
        "planes of a head": 1,
        "view: decoding of samples": views,
        "view: super-resolution": views,
        "edit: one UNet sample": views * DENOISING_STEPS * BRANCHES,
        "edit: encoding a picture": views,
        "edit: decoding a picture": views,
        "step: planes, there and back": steps,
        "step, per view: decoding of samples": steps * RUN.batch_views,
        "step, per view: super-resolution": steps * RUN.batch_views,
        "step, per view: perceptual distance": steps * RUN.batch_views,
    }
    each = operations()
    assert counts.keys() == each.keys()
    print("\n| part | 10^9 operations | times | 10^12 in a whole run |\n|---|---|---|---|")
    for name, count in counts.items():
        print(f"| {name} | {each[name]:.1f} | {count} | {each[name] * count / 1e3:.1f} |")
    stages = {"rendering": ("planes", "view"), "editing": ("edit",), "fitting": ("step",)}
    totals = {
        stage: sum(each[n] * c for n, c in counts.items() if n.startswith(starts)) / 1e3
        for stage, starts in stages.items()
    }
    shares = " | ".join(f"minutes at {share:.0%}" for share in GPU_SHARES)
    print(f"\n{GPU}\n\n| stage | 10^12 operations | {shares} |\n|---|---|---|---|")
    for stage, total in {**totals, "all": sum(totals.values())}.items():
        minutes = [total / (GPU_PEAK_TFLOPS * share) / 60 for share in GPU_SHARES]
        print(f"| {stage} | {total:.0f} | " + " | ".join(f"{m:.1f}" for m in minutes) + " |")


def _parts(marks: Marks) -> dict[str, float]:
    """Return the processor time of each part, from the process that did it."""
    first = marks[0]["process"]
    views = 2
    rendering = _between(marks, first, ("rendering views", 0), ("rendering views", views))
    fitting = min(mark["process"] for mark in marks if mark["stage"] == "fitting")
    networks: dict[str, list[float]] = {}
    for process in {mark["process"] for mark in marks}:
        last = [mark for mark in marks if mark["process"] == process][-1]
        for name, (calls, seconds) in last["networks"].items():
            total = networks.setdefault(name, [0.0, 0.0])
            total[0] += calls
            total[1] += seconds
    mean = {name: seconds / calls for name, (calls, seconds) in networks.items()}
    return {
        "building all networks": _between(marks, first, ("building", 0), ("built", 0)),
        "painting the head's planes": _between(marks, first, ("built", 0), ("rendering views", 0)),
        "rendering a view": rendering / views,
        "encoding a view": mean["encoder"],
        "one denoising step of a view": mean["UNet"],
        "decoding a view": mean["decoder"],
        "one fitting step of two views": _between(marks, fitting, ("fitting", 0), ("fitting", 1)),
    }


def _between(marks: Marks, process: int, begin: tuple[str, int], end: tuple[str, int]) -> float:
    """Return the processor time between the first marks of two kinds in one process."""
    times = {}
    for mark in marks:
        if mark["process"] == process:
            times.setdefault((mark["stage"], mark["done"]), mark["busy_s"])
    return times[end] - times[begin]


def _operations_of_step(views: int) -> float:
    each = operations()
    per_view = sum(value for name, value in each.items() if name.startswith("step, per view"))
    return each["step: planes, there and back"] + views * per_view
