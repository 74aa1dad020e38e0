"""What every importer is given beside a checkpoint, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from triptych.errors import UserError
from triptych.ops.sample_planes import PlaneAxes
from triptych.weights.foreign_checkpoint import ForeignCheckpoint


@dataclass(frozen=True)
class ConversionOptions:
    """What a person may say about a checkpoint of EG3D; other systems leave nothing to say.

    Attributes:
        network: "G_ema": the generator to use; "G": its last training state; "D": the
            discriminator.
        settings_of: For a file without settings: the official model that has the same ones.
        plane_axes: For a file that does not say: which coordinates the planes sample.
    """

    network: str = "G_ema"
    settings_of: str | None = None
    plane_axes: PlaneAxes | None = None

    def refuse_any(self, checkpoint: ForeignCheckpoint) -> None:
        """Check that nothing was said about a checkpoint that says everything itself.

        Raises:
            UserError: An option differs from its default.
        """
        if self != ConversionOptions():
            raise UserError(
                f"{checkpoint.file.path} is a checkpoint of {checkpoint.system}, which needs no "
                "--network, --settings-of or --plane-axes; leave them out"
            )


@dataclass(frozen=True, eq=False)
class Converted:
    """A network of a foreign checkpoint in this package's terms; its tensors are not read yet.

    Attributes:
        kind: What the network does: a key of `NETWORK_KINDS`.
        config: Its configuration, of that kind's class.
        licence: Under which terms its authors publish it.
        licence_page: Where the terms can be read.
        provenance: Where it comes from, as JSON values.
        report: What was found, as (what, value).
        read_tensors: Reads its tensors under this package's names; raises UserError where the
            file is damaged.
    """

    kind: str
    config: Any
    licence: str
    licence_page: str
    provenance: Mapping[str, Any]
    report: tuple[tuple[str, str], ...]
    read_tensors: Callable[[], dict[str, Tensor]]


Importer = Callable[[ForeignCheckpoint, ConversionOptions], Converted]
"""Describes the network of one system's checkpoint."""
