"""`triptych generate`: seeds become plain 3D portraits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triptych.cli.options import DeviceName, MaybeFloat, MaybeInt, MaybePath, parse_seeds
from triptych.runs import console


@dataclass(frozen=True)
class Generate:
    """Make 3D portraits of people who do not exist, one per seed.

    The folder gets a portrait file per seed, a sheet of views, and on request a turntable video and
    a mesh per seed.
    """

    out: Path
    """Folder for the results."""
    seeds: str = "0-7"
    """Which heads: 3, or 0-7, or 1,4,9."""
    model: str = "avatar"
    """Generator: a name from `triptych models`, or a file."""
    truncation_psi: float = 1.0
    """1: the full variety of the model; towards 0: more average heads."""
    size: MaybeInt = None
    """Side of pictures and videos in pixels, 16 to 2048; by default 256, or the size that the
    model upsamples to."""
    refine: bool = False
    """Fit each head to its avatar: sharp hair, ears and collars for half a minute per head; see
    docs/refinement.md. Only for generators of avatars."""
    style: MaybePath = None
    """Style of all heads: a style pack from `triptych adapt`, or one example picture."""
    styler: str = "avatar-styler"
    """Network that turns a picture into a style: a name from `triptych models`, or a file."""
    strength: float = 1.0
    """Strength of the style, 0 to 2; 0 leaves heads unchanged."""
    geometry: MaybeFloat = None
    """Strength of the style in shapes; --strength by default."""
    appearance: MaybeFloat = None
    """Strength of the style on surfaces; --strength by default."""
    turntable: bool = False
    """Also write a video per head."""
    mesh: bool = False
    """Also write a mesh per head."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        seeds = parse_seeds(self.seeds)
        from triptych.models.style_strength import StyleStrength
        from triptych.runs.device import choose_device
        from triptych.runs.style_source import StyleSource
        from triptych.systems.generate.job import GenerateJob

        job = GenerateJob(
            tuple(seeds),
            self.model,
            self.truncation_psi,
            self.size,
            self.turntable,
            self.mesh,
            choose_device(self.device),
            self.refine,
            None if self.style is None else StyleSource(self.style, self.styler),
            StyleStrength.chosen(self.strength, self.geometry, self.appearance),
        )
        job.run(self.out, overwrite=self.overwrite)
        console.result(str(self.out))
