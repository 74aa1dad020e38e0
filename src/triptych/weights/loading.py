"""From a model's name or file to a network that is ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from triptych.arguments import checked
from triptych.config import from_dict
from triptych.errors import UserError
from triptych.weights.file_header import FileHeader
from triptych.weights.network_kinds import NETWORK_KINDS
from triptych.weights.registry import weight_file
from triptych.weights.safetensors_file import built_from, load_tensors

if TYPE_CHECKING:
    from triptych.models.eg3d import TriPlaneGenerator
    from triptych.nn.discriminator import DualDiscriminator
    from triptych.nn.feature_network import AvatarFeatures
    from triptych.nn.head_pose_network import HeadPoseNetwork

Config = TypeVar("Config")


@checked
def load_network(name_or_path: str | Path, kind: str, device: torch.device | str = "cpu") -> Any:
    """Return a network in evaluation mode, float32.

    Args:
        name_or_path: Name in the registry, or a safetensors file.
        kind: What the network does: a key of `NETWORK_KINDS`.
        device: Where the network goes; the hash of the file is checked on the CPU.

    Raises:
        UserError: There is no such model, or the file does not hold one.
    """
    path = weight_file(name_or_path, kind)
    network_class, config_class = NETWORK_KINDS[kind].classes()
    tensors, header = load_tensors(path, network_class.__name__)
    config = config_in(path, header, config_class)
    return built_from(lambda: network_class(config), tensors, str(path)).to(device)


def config_in(path: str | Path, header: FileHeader, config_class: type[Config]) -> Config:
    """Return the configuration in a file's header.

    Raises:
        UserError: It does not fit its class, or a value is out of its range.
    """
    try:
        return from_dict(config_class, header.config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


@checked
def load_generator(
    name_or_path: str | Path = "avatar-generator", device: torch.device | str = "cpu"
) -> TriPlaneGenerator:
    """Return a tri-plane generator; see `load_network`."""
    return load_network(name_or_path, "generator", device)


@checked
def load_features(
    name_or_path: str | Path = "avatar-features", device: torch.device | str = "cpu"
) -> AvatarFeatures:
    """Return an avatar feature network; see `load_network`."""
    return load_network(name_or_path, "features", device)


@checked
def load_head_pose(name_or_path: str | Path = "avatar-landmarks") -> HeadPoseNetwork:
    """Return a head pose network; see `load_network`."""
    return load_network(name_or_path, "landmarks")


@checked
def load_discriminator(path: str | Path) -> DualDiscriminator:
    """Return EG3D's discriminator from a converted file; see `load_network`."""
    return load_network(Path(path), "discriminator")
