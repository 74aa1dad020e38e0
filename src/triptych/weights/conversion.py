"""Checkpoints of published systems become files of this package, each by its system's importer."""

from __future__ import annotations

from pathlib import Path

from triptych.config import to_dict
from triptych.errors import UserError
from triptych.weights import (
    cnerf_importer,
    eg3d_importer,
    pstyle_importer,
    threedpe_importer,
    threedpsp_importer,
)
from triptych.weights.converted import ConversionOptions, Converted, Importer
from triptych.weights.foreign_checkpoint import read_checkpoint
from triptych.weights.known_systems import (
    CNERF,
    EG3D,
    LIVE3D,
    PSTYLE,
    PSTYLE_ENCODER,
    THREE_D_PE,
    THREE_D_PSP,
)
from triptych.weights.network_kinds import NETWORK_KINDS
from triptych.weights.safetensors_file import FileHeader, save_tensors

IMPORTERS: dict[str, Importer] = {
    EG3D: eg3d_importer.convert,
    THREE_D_PSP: threedpsp_importer.convert,
    CNERF: cnerf_importer.convert,
    THREE_D_PE: threedpe_importer.convert,
    LIVE3D: threedpe_importer.convert,
    PSTYLE: pstyle_importer.convert,
    PSTYLE_ENCODER: pstyle_importer.convert_encoder,
}
"""The importer of each system, by the name that `known_systems` gives it."""


def open_checkpoint(path: str | Path, options: ConversionOptions | None = None) -> Converted:
    """Recognise the system of a checkpoint and describe its network in this package's terms.

    Nothing in the file is run, and its tensors are not read yet.

    Args:
        path: A pickle, or a file that torch.save wrote.
        options: Which network of the file, and what the file does not say.

    Raises:
        UserError: The file is broken, no checkpoint, or a checkpoint of a system without an
            importer; or its settings or tensors are not understood.
    """
    checkpoint = read_checkpoint(path)
    known = " or ".join(IMPORTERS)
    if checkpoint.system is None:
        raise UserError(
            f"{path} is no checkpoint of a known system: it holds "
            f"{checkpoint.contents_in_words()}; expected one of {known}"
        )
    if checkpoint.system not in IMPORTERS:
        raise UserError(f"{path} is a checkpoint of {checkpoint.system}; expected one of {known}")
    return IMPORTERS[checkpoint.system](checkpoint, options or ConversionOptions())


def save_converted(converted: Converted, path: str | Path) -> None:
    """Write a described network as a file of this package, atomically, in the precision it has.

    Args:
        converted: What `open_checkpoint` described.
        path: File to be; its folder must exist.

    Raises:
        UserError: A tensor cannot be read, or the file cannot be written.
    """
    header = FileHeader(
        class_name=NETWORK_KINDS[converted.kind].network,
        config=to_dict(converted.config),
        licence=converted.licence,
        provenance=dict(converted.provenance),
    )
    save_tensors(path, converted.read_tensors(), header)
