"""Use a published checkpoint of EG3D: convert it safely, draw heads, turn one of them.

    python examples/published_checkpoint.py ffhq512-128.pkl --seeds 0 1 2 --out faces/

Published checkpoints are pickles, which are programs; the converter reads the tensors and runs
nothing. Read the licence that is printed: NVIDIA's are for research only.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import triptych
from triptych.camera import orbit
from triptych.export.pictures import save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.weights.conversion import open_checkpoint, save_converted

YAWS = (-math.radians(25), math.radians(25))


def main(words: list[str] | None = None) -> None:
    """Read the options, convert the checkpoint and draw heads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("checkpoint", type=Path, help="one of EG3D's network pickles")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="which heads")
    parser.add_argument("--truncation", type=float, default=0.7, help="1 is everything it knows")
    parser.add_argument("--out", type=Path, default=Path("faces"), help="folder of the results")
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)

    converted = open_checkpoint(options.checkpoint)
    for what, value in converted.report:
        print(f"{what}: {value}")
    print("licence:", converted.licence, converted.licence_page)
    file = options.out / "generator.safetensors"
    save_converted(converted, file)

    # What the embedded generator does, this one does too: only the file differs.
    generate = triptych.GeneratePipeline.from_pretrained(file)
    rows = []
    for seed in options.seeds:
        portrait = generate(seed, truncation_psi=options.truncation)
        portrait.save(options.out / f"{seed:05d}.safetensors")
        rows.append(view_pictures(portrait, orbit(3, YAWS), portrait.image_size))
    save_png(options.out / "sheet.png", picture_sheet(rows))
    print("written to", options.out)


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
