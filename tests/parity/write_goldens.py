"""Writes tests/parity/goldens: samples of the reference numbers whose weights follow a rule.

    python tests/parity/write_goldens.py path/to/shared

The samples let a checkout without the reference data check every stage. Run this only when the
reference data change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reference_numbers import GOLDENS, ReferenceNumbers, Samples

EG3D = "fixtures/eg3d_small/rule"
SOURCES: dict[str, tuple[str, str]] = {
    "eg3d_rule": (
        f"{EG3D}/rule_outputs.safetensors",
        "Samples of what the unmodified EG3D networks (commit 7cf1fd1e) computed on a CPU with "
        "PyTorch 2.13 in float32 from weights and inputs that are a function of their names "
        "(rule_weights.py).",
    ),
    "3dpsp_encoder_rule": (
        "fixtures/3dpsp_small/encoder_full_cam.npz",
        "Samples of what the unmodified 3DpSp encoder computed on a CPU with PyTorch 2.13 in "
        "float32 from weights and inputs that are a function of their place and name "
        "(psp_rule.py).",
    ),
}


def golden(shared: Path, name: str) -> dict[str, Any]:
    """Return what is committed of a file of reference numbers."""
    source, provenance = SOURCES[name]
    numbers = {}
    for key, tensor in ReferenceNumbers.read(shared / source).items():
        samples = Samples.of(tensor)
        numbers[key] = {
            "shape": list(samples.shape),
            "steps": list(samples.steps),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "largest": samples.largest,
            "values": [float(f"{value:.9g}") for value in samples.values.flatten().tolist()],
        }
    content: dict[str, Any] = {"provenance": provenance, "numbers": numbers}
    if name == "eg3d_rule":
        content["rule"] = json.loads((shared / EG3D / "rule.json").read_text())
        shapes = (shared / EG3D / "dual_discriminator_shapes.json").read_text()
        content["discriminator_shapes"] = json.loads(shapes)
    return content


def main() -> None:
    """Write all files."""
    GOLDENS.mkdir(exist_ok=True)
    for name in SOURCES:
        text = json.dumps(golden(Path(sys.argv[1]), name), separators=(",", ":"))
        # One number per line would be long, one line per file unreadable: one line per tensor.
        text = text.replace('},"', '},\n"').replace('"numbers":{', '"numbers":{\n')
        (GOLDENS / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
