"""`triptych convert`: a published checkpoint becomes a file that every verb opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.errors import UserError
from triptych.files import check_output_file
from triptych.runs import console


@dataclass(frozen=True)
class Convert:
    """Make a safe file of a published checkpoint, without running any code that is in it.

    EG3D: one of its own network pickles (.pkl), or what a project derived from it saved with torch
    (.pt, .pth: constructor arguments beside a table of tensors). 3DpSp: its encoder (3DpSp.pt).
    CNeRF: its generator (final_model.pt, and the files of its training). 3DPE: its encoder with the
    renderer (3dpe.pt), and the two encoders of Live3D that it starts from. PStyle-3D: its generator
    (model_G_style.pth) and its style encoder, a pickled module.
    The system is recognised by the tensors in the file.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The checkpoint."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.safetensors")]
    """File to write."""
    accept_licence: bool = False
    """You have read the checkpoint's licence and accept it."""
    network: Literal["G_ema", "G", "D"] = "G_ema"
    """EG3D only: G_ema, the generator to use; G, its last training state; D, the discriminator."""
    settings_of: Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ""
    """For a file of tensors without settings: the official model that has the same ones."""
    plane_axes: Annotated[
        Literal["as-stored", "legacy", "corrected"],
        tyro.conf.arg(metavar="AXES", help_behavior_hint=""),
    ] = "as-stored"
    """For a file that does not say which coordinates its planes sample: legacy or corrected."""
    overwrite: bool = False
    """Replace a file that exists."""

    def run(self) -> None:
        """Do the work."""
        check_output_file(self.out, (".safetensors",), overwrite=self.overwrite)
        from triptych.weights.conversion import open_checkpoint, save_converted
        from triptych.weights.converted import ConversionOptions
        from triptych.weights.tensor_fit import TensorsDoNotFit

        options = ConversionOptions(
            self.network,
            self.settings_of or None,
            None if self.plane_axes == "as-stored" else self.plane_axes,
        )
        try:
            converted = open_checkpoint(self.file, options)
        except TensorsDoNotFit as misfit:
            console.table(misfit.TITLES, [line.cells() for line in misfit.misfits])
            raise
        stated = f"{converted.licence}, or what your source of the file states"
        lines = [*converted.report, ("licence", stated)]
        width = max(len(what) for what, _ in lines)
        for what, value in lines:
            console.result(f"{what.ljust(width)}  {value}")
        if not self.accept_licence:
            raise UserError(
                f"{self.file} was not converted: it comes under the {stated}; read it at "
                f"{converted.licence_page}; add --accept-licence if you accept it"
            )
        save_converted(converted, self.out)
        console.result(str(self.out))
