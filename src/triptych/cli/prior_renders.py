"""`triptych data prior-renders`: training shards with original pictures of the generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triptych.cli.options import DeviceName
from triptych.runs import console


@dataclass(frozen=True)
class PriorRenders:
    """Write shards again with renders of the generator in place of the original pictures.

    Train the editor on both: at inference it reads renders of the generator.
    """

    shards: Path
    """Folder of shards with several style variants per head."""
    out: Path
    """Folder of the new shards; finished shards in it are kept."""
    generator: str = "avatar-generator"
    """Generator: a name from `triptych models`, or a file."""
    device: DeviceName = "auto"

    def run(self) -> None:
        """Do the work."""
        from triptych.avatars.sets.shards import ShardSet
        from triptych.files import make_writable_folder
        from triptych.runs.device import choose_device
        from triptych.training.prior_renders import write_prior_renders
        from triptych.weights import load_generator

        shards = ShardSet(self.shards)
        generator = load_generator(self.generator, choose_device(self.device))
        make_writable_folder(self.out)
        with console.stages() as report:
            write_prior_renders(
                generator,
                shards,
                self.out,
                progress=lambda done, total: report("heads", done, total),
            )
        console.result(str(self.out))
