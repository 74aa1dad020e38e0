"""`triptych compose`: seeds and regions become 3D portraits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, MaybeInt, parse_seeds
from triptych.runs import console

Choices = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=SEED")]


@dataclass(frozen=True)
class Compose:
    """Make 3D portraits of nine semantic regions, each with its own seed if wanted (CNeRF).

    The folder gets portrait.safetensors, which every other verb opens, views.png with maps of
    regions under the pictures, turntable.mp4, mesh.glb with a node per region, and run.json with
    how local swaps are; with several seeds, a folder for each. With --interpolate also morph.mp4.
    """

    out: Path
    """Folder for the results."""
    portrait: Annotated[
        Path | None,
        tyro.conf.Positional,
        tyro.conf.arg(metavar="[PORTRAIT]", help_behavior_hint=""),
    ] = None
    """A portrait of regions to start from, instead of --seeds."""
    seeds: Annotated[str, tyro.conf.arg(help_behavior_hint="")] = ""
    """Whose heads: 3, or 0-7, or 1,4,9."""
    region: Choices = ()
    """A region from another seed: hair=7, eyes.shape=12 or mouth.texture=5; may be repeated."""
    only: Annotated[str | None, tyro.conf.arg(metavar="NAME,NAME", help_behavior_hint="")] = None
    """Show only these regions."""
    semantics: Literal["true", "published"] = "true"
    """Meaning of --only: true cuts the volume down to them; published is CNeRF's --semantics."""
    interpolate: Choices = ()
    """A region that turns into that of another seed, in a video; may be repeated."""
    frames: int = 24
    """Frames of that video."""
    model: str = "avatar"
    """Generator of regions: a name from `triptych models`, or a file."""
    truncation_psi: float = 0.7
    """1: the full variety of the model; towards 0: more average heads."""
    truncation: Literal["single", "published"] = "single"
    """single truncates codes once; published twice, as CNeRF's script does."""
    size: MaybeInt = None
    """Side of pictures in pixels, 16 to 2048; the model's own by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        seeds = parse_seeds(self.seeds) if self.seeds else []
        from triptych.runs.device import choose_device
        from triptych.systems.compose.job import ComposeJob
        from triptych.systems.compose.pipeline import RegionChoice

        only = None if self.only is None else tuple(name for name in self.only.split(",") if name)
        job = ComposeJob(
            seeds=tuple(seeds),
            portrait=self.portrait,
            regions=tuple(map(RegionChoice.parsed, self.region)),
            only=only,
            semantics=self.semantics,
            interpolate=tuple(map(RegionChoice.parsed, self.interpolate)),
            frames=self.frames,
            model=self.model,
            truncation_psi=self.truncation_psi,
            truncation=self.truncation,
            size=self.size,
            device=choose_device(self.device),
        )
        job.run(self.out, overwrite=self.overwrite)
        console.result(str(self.out))
