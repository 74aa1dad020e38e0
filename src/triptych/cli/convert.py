"""`triptych convert`: a checkpoint of EG3D becomes a file that every verb opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.errors import UserError
from triptych.runs import console
from triptych.runs.output_file import check_output_file


@dataclass(frozen=True)
class Convert:
    """Make a safe file of a checkpoint of EG3D, without running any code that is in it.

    The file may be one of EG3D's own network pickles (.pkl), or what a project derived from EG3D
    saved with torch (.pt, .pth: constructor arguments beside a table of tensors).
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The checkpoint."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.safetensors")]
    """File to write."""
    accept_licence: bool = False
    """You have read the checkpoint's licence and accept it."""
    network: Literal["G_ema", "G", "D"] = "G_ema"
    """G_ema: the generator to use; G: its last training state; D: the discriminator."""
    settings_of: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """For a file of tensors without settings: the official model that has the same ones."""
    plane_axes: Annotated[
        Literal["as-stored", "legacy", "corrected"], tyro.conf.arg(metavar="AXES")
    ] = "as-stored"
    """For a file that does not say what its planes see: legacy (EG3D's) or corrected."""
    overwrite: bool = False
    """Replace a file that exists."""

    def run(self) -> None:
        """Do the work."""
        check_output_file(self.out, (".safetensors",), overwrite=self.overwrite)
        from triptych.weights.convert import report, save_converted
        from triptych.weights.eg3d_checkpoint import open_eg3d_checkpoint
        from triptych.weights.published import EG3D_LICENCE, EG3D_LICENCE_PAGE
        from triptych.weights.tensor_fit import TensorsDoNotFit

        try:
            checkpoint = open_eg3d_checkpoint(
                self.file,
                self.network,
                settings_of=self.settings_of or None,
                plane_axes=None if self.plane_axes == "as-stored" else self.plane_axes,
            )
        except TensorsDoNotFit as misfit:
            console.table(misfit.TITLES, [line.cells() for line in misfit.misfits])
            raise
        lines = report(checkpoint)
        width = max(len(what) for what, _ in lines)
        for what, value in lines:
            console.result(f"{what.ljust(width)}  {value}")
        if not self.accept_licence:
            raise UserError(
                f"{self.file} was not converted: it comes under the {EG3D_LICENCE}, or what your "
                f"source of it states; read it at {EG3D_LICENCE_PAGE}; add --accept-licence if "
                "you accept it"
            )
        save_converted(checkpoint, self.out)
        console.result(str(self.out))
