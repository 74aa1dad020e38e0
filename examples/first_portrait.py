"""A first portrait: a seed becomes a head, seen from five sides, as a file and as a mesh.

    python examples/first_portrait.py --seed 7 --out head/

Ten seconds on an ordinary computer, without a download.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import triptych
from triptych.camera import orbit
from triptych.export.pictures import save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.export.texture import save_textured_mesh, textured_mesh

YAWS = (-math.radians(40), math.radians(40))


def main(words: list[str] | None = None) -> None:
    """Read the options and make the portrait."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("--seed", type=int, default=7, help="0 to 99999: which head")
    parser.add_argument("--size", type=int, default=256, help="side of the pictures in pixels")
    parser.add_argument("--mesh", action="store_true", help="also write a textured mesh")
    parser.add_argument("--out", type=Path, default=Path("head"), help="folder of the results")
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)

    # The embedded generator of avatars; a file or an official name goes here too.
    generate = triptych.GeneratePipeline.from_pretrained("avatar")
    portrait = generate(options.seed)
    portrait.save(options.out / "portrait.safetensors")

    # Cameras swing round the head; a View holds images, depth and alpha of all of them.
    cameras = orbit(5, YAWS)
    view = portrait.render(cameras, options.size)
    print("images", tuple(view.image.shape), "depth", tuple(view.depth.shape))
    pictures = view_pictures(portrait, cameras, options.size)
    save_png(options.out / "views.png", picture_sheet([pictures]))

    if options.mesh:
        save_textured_mesh(options.out / "head.glb", textured_mesh(portrait))
    print("written to", options.out)


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
