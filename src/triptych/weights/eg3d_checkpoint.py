"""EG3D's networks in checkpoints: found, described and read without running them.

Three forms are known: EG3D's own network pickles; what projects derived from EG3D save with torch
(constructor arguments beside a table of tensors); and a bare table of tensors, for which the user
must say whose settings it has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.models.eg3d import OFFICIAL_CONFIGS, EG3DConfig, TriPlaneGenerator
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.ops.sample_planes import AXES, PlaneAxes
from triptych.weights.checkpoint_sections import Section
from triptych.weights.eg3d_settings import (
    DISCRIMINATOR_ARGUMENTS,
    GENERATOR_ARGUMENTS,
    discriminator_config,
    generator_config,
    plane_axes_of,
)
from triptych.weights.file_settings import Settings, arguments_by_name
from triptych.weights.foreign_checkpoint import ForeignCheckpoint, read_checkpoint
from triptych.weights.known_systems import EG3D
from triptych.weights.safetensors_file import fill_module
from triptych.weights.tensor_fit import check_fit, shapes_of
from triptych.weights.untrusted.inert import kind_of
from triptych.weights.untrusted.numpy_values import NumpyArray
from triptych.weights.untrusted.tensor_values import StoredTensor
from triptych.weights.untrusted.untrusted_file import UntrustedFile

NetworkName = Literal["G_ema", "G", "D"]
LABEL_SPREAD = "dataset_label_std"
"""A buffer that EG3D's training loop adds to its networks; nothing reads it."""
_UNNAMED = ("", "state_dict")


@dataclass(frozen=True, eq=False)
class EG3DCheckpoint:
    """One network of a file, described but not yet read.

    Attributes:
        source: The file's description.
        network: Which of its networks.
        config: What the network is.
        section: Its tensors as the file has them, and what stands beside them.
        remarks: Assumptions and omissions, in sentences.
    """

    source: ForeignCheckpoint
    network: str
    config: EG3DConfig | DiscriminatorConfig
    section: Section
    remarks: tuple[str, ...] = ()

    @property
    def file(self) -> UntrustedFile:
        """The file."""
        return self.source.file

    @property
    def class_name(self) -> str:
        """This package's class for the network."""
        config = self.config
        return (TriPlaneGenerator if isinstance(config, EG3DConfig) else DualDiscriminator).__name__

    def stored_tensors(self) -> dict[str, StoredTensor]:
        """Return the tensors of the network as described in the file."""
        return {
            name: tensor for name, tensor in self.section.tensors.items() if name != LABEL_SPREAD
        }

    @property
    def num_parameters(self) -> int:
        """Numbers in the network's parameters and buffers."""
        return sum(torch.Size(tensor.shape).numel() for tensor in self.stored_tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """Read the network's tensors.

        Raises:
            UserError: One lies outside its storage, is of another type, or has numbers that are
                not finite.
        """
        return self.file.read_tensors(self.stored_tensors())

    def build(self) -> nn.Module:
        """Return the network, in evaluation mode, float32.

        Raises:
            UserError: See `tensors`.
        """
        module = _network(self.config)
        fill_module(module, self.tensors(), str(self.file.path))
        return module

    def label_spread(self) -> list[float] | None:
        """Return the spread of the training labels, which training stores with a generator."""
        stored = self.section.tensors.get(LABEL_SPREAD)
        if stored is None or len(stored.shape) != 1 or stored.shape[0] > 64:
            return None
        if not stored.dtype.is_floating_point:
            return None
        numbers = [float(number) for number in stored.read()]
        return numbers if all(map(math.isfinite, numbers)) else None


def open_eg3d_checkpoint(
    path: str | Path,
    network: str = "G_ema",
    *,
    settings_of: str | None = None,
    plane_axes: PlaneAxes | None = None,
) -> EG3DCheckpoint:
    """Find one of EG3D's networks in a file and check that everything fits; run nothing in it.

    Args:
        path: A network pickle of EG3D, or a torch file of a derived project.
        network: "G_ema": the generator to use; "G": its last training state; "D": the
            discriminator.
        settings_of: For a file without settings: the official model that has the same ones.
        plane_axes: For a file that does not say: the coordinates that the planes sample.

    Raises:
        UserError: It is no such file, a checkpoint of another system, broken, or has settings or
            tensors that are not understood.
    """
    return find_eg3d_network(read_checkpoint(path), network, settings_of, plane_axes)


def find_eg3d_network(
    source: ForeignCheckpoint,
    network: str = "G_ema",
    settings_of: str | None = None,
    plane_axes: PlaneAxes | None = None,
) -> EG3DCheckpoint:
    """Find one of EG3D's networks in a described file; see `open_eg3d_checkpoint`."""
    file = source.file
    if network not in get_args(NetworkName):
        raise UserError(f"network: got '{network}'; expected G_ema, G or D")
    if source.system not in (None, EG3D):
        raise UserError(f"{file.path} is a checkpoint of {source.system}; expected one of EG3D")
    if file.form != "pickle":
        source.refuse_foreign_names()
    section = _chosen(source, network)
    try:
        checkpoint = _described(source, network, section, settings_of, plane_axes)
    except UserError as error:
        raise UserError(f"{file.path}: {network} is not understood: {error}") from error
    check_fit(
        shapes_of(lambda: _network(checkpoint.config)),
        {name: tensor.shape for name, tensor in checkpoint.stored_tensors().items()},
        network=checkpoint.class_name,
        source=f"{file.path} ({network})",
    )
    return checkpoint


def _chosen(source: ForeignCheckpoint, network: str) -> Section:
    """Return the section that holds the network."""
    sections = source.sections
    unnamed = [name for name in _UNNAMED if name in sections]
    if network in sections:
        section = sections[network]
    elif unnamed and network == "G_ema":
        section = sections[unnamed[0]]
    else:
        raise UserError(
            f"{source.file.path} has no {network} of EG3D; it holds {source.contents_in_words()}"
        )
    expected = DualDiscriminator if network == "D" else TriPlaneGenerator
    characteristic = "b4.out.weight" if network == "D" else "backbone.mapping.w_avg"
    if section.class_name not in ("", expected.__name__) or (
        not section.class_name and characteristic not in section.tensors
    ):
        raise UserError(
            f"{source.file.path}: {network} is no {expected.__name__} of EG3D; the file holds "
            f"{source.contents_in_words()}"
        )
    return section


def _described(
    source: ForeignCheckpoint,
    network: str,
    section: Section,
    settings_of: str | None,
    plane_axes: PlaneAxes | None,
) -> EG3DCheckpoint:
    stored = section.settings
    has_arguments = "init_kwargs" in stored or "init_args" in stored
    if not has_arguments:
        return _with_settings_of(source, network, section, settings_of, plane_axes)
    if settings_of is not None:
        raise UserError("the file has its own settings; leave out --settings-of")
    if network == "D":
        named = arguments_by_name(
            DISCRIMINATOR_ARGUMENTS, stored.get("init_args"), stored.get("init_kwargs")
        )
        return EG3DCheckpoint(source, network, discriminator_config(named), section)
    named = arguments_by_name(
        GENERATOR_ARGUMENTS, stored.get("init_args"), stored.get("init_kwargs")
    )
    rendering = stored.get("rendering_kwargs")
    found = generator_config(
        named,
        None if rendering is None else Settings("", stored).within("rendering_kwargs").values,
        section.shapes,
        render_size=Settings("settings", stored).optional_whole("neural_rendering_resolution"),
        plane_axes=_plane_axes(stored.get("plane_axes"), plane_axes),
    )
    return EG3DCheckpoint(source, network, found.config, section, found.remarks)


def _with_settings_of(
    source: ForeignCheckpoint,
    network: str,
    section: Section,
    settings_of: str | None,
    plane_axes: PlaneAxes | None,
) -> EG3DCheckpoint:
    known = ", ".join(OFFICIAL_CONFIGS)
    if settings_of is None:
        raise UserError(
            "it has tensors but no settings; say which official model has the same ones: "
            f"--settings-of NAME, one of {known}"
        )
    if settings_of not in OFFICIAL_CONFIGS:
        raise UserError(f"there is no official model '{settings_of}'; expected one of {known}")
    remark = f"the file has no settings; those of {settings_of} taken"
    if network == "D":
        image_size = OFFICIAL_CONFIGS[settings_of]().image_size
        config: EG3DConfig | DiscriminatorConfig = DiscriminatorConfig(image_size=image_size)
    else:
        axes = _plane_axes(section.settings.get("plane_axes"), plane_axes)
        config = replace(OFFICIAL_CONFIGS[settings_of](), plane_axes=axes or "legacy")
    return EG3DCheckpoint(source, network, config, section, (remark,))


def _plane_axes(stored: object, wanted: PlaneAxes | None) -> PlaneAxes | None:
    """Return the coordinates that the planes sample: as stored, else as the user says."""
    if wanted is not None and wanted not in AXES:
        raise UserError(f"plane axes: got '{wanted}'; expected {' or '.join(AXES)}")
    if stored is None:
        return wanted
    if isinstance(stored, StoredTensor) and stored.shape == (3, 3, 3):
        found = plane_axes_of(stored.read().numpy())
    elif isinstance(stored, NumpyArray):
        found = plane_axes_of(stored.array())
    else:
        raise UserError(f"its plane axes are {kind_of(stored)}")
    if wanted not in (None, found):
        raise UserError(f"the file says that its plane axes are {found}; leave out --plane-axes")
    return found


def _network(config: EG3DConfig | DiscriminatorConfig) -> nn.Module:
    if isinstance(config, EG3DConfig):
        return TriPlaneGenerator(config)
    return DualDiscriminator(config)
