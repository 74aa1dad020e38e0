"""From a model's name or file to a network that is ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from torch import nn

from triptych.config import from_dict
from triptych.weights.registry import weight_file
from triptych.weights.safetensors_file import fill_module, load_tensors

if TYPE_CHECKING:
    from triptych.models.eg3d import TriPlaneGenerator
    from triptych.models.image_to_triplane import ImageToTriplane
    from triptych.nn.discriminator import DualDiscriminator
    from triptych.nn.feature_network import AvatarFeatures
    from triptych.nn.head_pose_network import HeadPoseNetwork

M = TypeVar("M", bound=nn.Module)


def load_generator(name_or_path: str | Path = "avatar-generator") -> TriPlaneGenerator:
    """Return a tri-plane generator in evaluation mode, float32, on the CPU.

    Args:
        name_or_path: Name in the registry, or a safetensors file.

    Raises:
        UserError: There is no such model, or the file does not hold one.
    """
    from triptych.models.eg3d import EG3DConfig, TriPlaneGenerator

    return _load(weight_file(name_or_path, "generator"), TriPlaneGenerator, EG3DConfig)


def load_image_to_triplane(name_or_path: str | Path = "avatar-i2t") -> ImageToTriplane:
    """Return an Image-to-Triplane network; see `load_generator`."""
    from triptych.models.image_to_triplane import ImageToTriplane, ImageToTriplaneConfig

    path = weight_file(name_or_path, "image-to-triplane")
    return _load(path, ImageToTriplane, ImageToTriplaneConfig)


def load_features(name_or_path: str | Path = "avatar-features") -> AvatarFeatures:
    """Return an avatar feature network; see `load_generator`."""
    from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig

    return _load(weight_file(name_or_path, "features"), AvatarFeatures, FeatureNetworkConfig)


def load_head_pose(name_or_path: str | Path = "avatar-landmarks") -> HeadPoseNetwork:
    """Return a head pose network; see `load_generator`."""
    from triptych.nn.head_pose_network import HeadPoseConfig, HeadPoseNetwork

    return _load(weight_file(name_or_path, "landmarks"), HeadPoseNetwork, HeadPoseConfig)


def load_discriminator(path: str | Path) -> DualDiscriminator:
    """Return EG3D's discriminator from a converted file; see `load_generator`."""
    from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator

    return _load(Path(path), DualDiscriminator, DiscriminatorConfig)


def _load(path: Path, module_class: type[M], config_class: type) -> M:
    tensors, header = load_tensors(path, module_class.__name__)
    module = module_class(from_dict(config_class, header.config))
    fill_module(module, tensors, str(path))
    return module
