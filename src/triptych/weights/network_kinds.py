"""The kinds of models: what each does, and the class that its weights belong to.

The registry, loading and conversion share this table; a new kind is one more line here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkKind:
    """Classes of one kind of network, by name: they are imported when a file asks for them.

    Attributes:
        module: Dotted name of the module that defines them.
        network: Class of the network; headers of weight files name it.
        config: Class of its configuration.
    """

    module: str
    network: str
    config: str

    def classes(self) -> tuple[type[nn.Module], type[Any]]:
        """Return the class of the network and the class of its configuration."""
        home = importlib.import_module(self.module)
        return getattr(home, self.network), getattr(home, self.config)


NETWORK_KINDS: dict[str, NetworkKind] = {
    "generator": NetworkKind("triptych.models.eg3d", "TriPlaneGenerator", "EG3DConfig"),
    "discriminator": NetworkKind(
        "triptych.nn.discriminator", "DualDiscriminator", "DiscriminatorConfig"
    ),
    "features": NetworkKind(
        "triptych.nn.feature_network", "AvatarFeatures", "FeatureNetworkConfig"
    ),
    "landmarks": NetworkKind("triptych.nn.head_pose_network", "HeadPoseNetwork", "HeadPoseConfig"),
    "image-to-triplane": NetworkKind(
        "triptych.systems.stylize.image_to_triplane", "ImageToTriplane", "ImageToTriplaneConfig"
    ),
    "region-generator": NetworkKind(
        "triptych.systems.compose.generator", "RegionGenerator", "RegionGeneratorConfig"
    ),
    "encoder": NetworkKind("triptych.systems.invert.encoder", "PspEncoder", "PspConfig"),
    "styled-generator": NetworkKind(
        "triptych.systems.adapt.generator", "StyledGenerator", "StyledGeneratorConfig"
    ),
    "style-encoder": NetworkKind(
        "triptych.systems.adapt.style_encoder", "StyleEncoder", "StyleEncoderConfig"
    ),
    "example-styler": NetworkKind(
        "triptych.models.example_styler", "ExampleStyler", "ExampleStylerConfig"
    ),
    "portrait-encoder": NetworkKind(
        "triptych.systems.edit.network", "PortraitEncoder", "PortraitEncoderConfig"
    ),
}

EDITOR = "editor"
"""Kind of the folders that hold the several networks of a 2-D image editor."""

KINDS = (*NETWORK_KINDS, EDITOR)
"""All kinds that a model of the registry may be of."""
