"""Swap hair between two heads, and export both.

    python examples/swap_hair.py --seeds 3 7 --out swapped/

A model of regions draws hair, face, eyes and the other regions by networks of their own, so that
each region can come from another seed (CNeRF).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import triptych
from triptych import RegionChoice
from triptych.camera import orbit
from triptych.export.pictures import save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.export.texture import save_textured_mesh, textured_mesh

YAWS = (-math.radians(30), math.radians(30))


def main(words: list[str] | None = None) -> None:
    """Read the options, compose four heads, draw and export them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("--model", default="avatar", help="name or file of a model of regions")
    parser.add_argument("--seeds", type=int, nargs=2, default=(3, 7), metavar=("A", "B"))
    parser.add_argument("--region", default="hair", help="the region to swap")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures in pixels")
    parser.add_argument("--texture", type=int, default=1024, help="side of the meshes' textures")
    parser.add_argument("--out", type=Path, default=Path("swapped"), help="folder of the results")
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)

    compose = triptych.ComposePipeline.from_pretrained(options.model)
    first, second = options.seeds
    rows = []
    for seed, other in ((first, second), (second, first)):
        own = compose(seed)
        swapped = compose(seed, [RegionChoice(options.region, other)])
        cameras = orbit(3, YAWS)
        rows.append([*view_pictures(own, cameras, options.size)])
        rows.append([*view_pictures(swapped, cameras, options.size)])
        stem = f"{seed}_{options.region}_{other}"
        swapped.save(options.out / f"{stem}.safetensors")
        mesh = textured_mesh(swapped, texture_size=options.texture)
        save_textured_mesh(options.out / f"{stem}.glb", mesh)
    save_png(options.out / "sheet.png", picture_sheet(rows))
    print("written to", options.out)


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
