"""From a photo to a likeness to a bronze bust, and both to pictures and files.

    python examples/photo_to_bronze.py --out me/                 # scikit-image's astronaut
    python examples/photo_to_bronze.py photo.jpg --prompt "a marble bust" --out me/

A few minutes on two cores. Install the extra first: pip install "triptych[photo]".
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import skimage.data

import triptych
from triptych.camera import orbit
from triptych.export.pictures import save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.systems.lift import settings as lift_settings
from triptych.systems.stylize import settings as stylize_settings

YAWS = (-math.radians(30), math.radians(30))


def main(words: list[str] | None = None) -> None:
    """Read the options, lift the photo and stylise the likeness."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("photo", nargs="?", help="a frontal photo; the astronaut when left out")
    parser.add_argument("--prompt", default="a bronze statue", help="what the likeness becomes")
    parser.add_argument("--quality", choices=("draft", "standard"), default="standard")
    parser.add_argument("--steps", type=int, help="steps of stylising, fewer for a trial")
    parser.add_argument("--out", type=Path, default=Path("me"), help="folder of the results")
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)

    # A photo is a path, a Pillow image, pixels uint8 [h, w, 3] or a tensor.
    photo = options.photo or skimage.data.astronaut()
    lift = triptych.LiftPipeline.from_pretrained("avatar")
    lifted = lift(photo, settings=lift_settings.preset(options.quality), progress=_say)
    for note in lifted.notes:
        print("note:", note)
    lifted.portrait.save(options.out / "likeness.safetensors")

    # Work that was stopped goes on from this folder when the program is started again.
    changes = {} if options.steps is None else {"steps": options.steps}
    stylize = triptych.StylizePipeline.from_pretrained("avatar")
    stylized = stylize(
        options.prompt,
        identity=lifted.portrait,
        settings=stylize_settings.preset(options.quality, changes),
        work_dir=options.out / "work",
        progress=_say,
    )
    stylized.portrait.save(options.out / "stylised.safetensors")

    cameras = orbit(5, YAWS)
    rows = [view_pictures(head, cameras, 256) for head in (lifted.portrait, stylized.portrait)]
    save_png(options.out / "sheet.png", picture_sheet(rows))
    print("written to", options.out)


def _say(stage: str, done: int, total: int) -> None:
    print(f"\r{stage}: {done} of {total}   ", end="\n" if done == total else "", flush=True)


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
