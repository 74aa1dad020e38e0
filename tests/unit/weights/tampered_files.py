"""Small valid files of this package's own form, and what an attacker makes of them.

Whoever changes a file can compute its hash again: `rewritten` does.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pstyle_checkpoints import NARROW
from torch import Tensor
from toy_compose import tiny_region_generator
from toy_edit import tiny_network
from toy_portraits import tiny_generator, tiny_portrait, tiny_superresolved_config

from triptych.camera import Camera
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.nn.head_pose_network import HeadPoseConfig, HeadPoseNetwork
from triptych.portrait import Portrait
from triptych.systems.adapt.generator import StyledGenerator, StyledGeneratorConfig
from triptych.systems.compose.pipeline import ComposePipeline
from triptych.systems.invert.encoder import PspConfig, PspEncoder
from triptych.systems.stylize.image_to_triplane import ImageToTriplane, ImageToTriplaneConfig
from triptych.weights import load_network, save_module
from triptych.weights.file_header import FORMAT, FileHeader, hash_of
from triptych.weights.safetensors_file import content_hash

Fields = dict[str, Any]


def _features() -> AvatarFeatures:
    return AvatarFeatures(
        FeatureNetworkConfig(("elf",), 3, (4, 4, 4, 4, 4), identity_dim=4, region_channels=4)
    )


def _encoder() -> PspEncoder:
    config = PspConfig(
        image_size=32,
        widths=(4, 4, 4, 4),
        units=(1, 1, 1, 1),
        head_width=4,
        heads=(1, 1, 1),
        w_dim=4,
    )
    return PspEncoder(config)


def _image_to_triplane() -> ImageToTriplane:
    config = ImageToTriplaneConfig(
        *(32, 16, 4, 8, 8), encoder_channels=(4, 4, 4), decoder_channels=(4, 4), modulation_hidden=4
    )
    return ImageToTriplane(config)


def _landmarks() -> HeadPoseNetwork:
    return HeadPoseNetwork(
        HeadPoseConfig(("a",), (0,), 32, (4, 4, 4, 4), (1, 1, 0), layout_channels=4, hidden=4)
    )


def _discriminator() -> DualDiscriminator:
    return DualDiscriminator(DiscriminatorConfig(image_size=16, channel_base=64, channel_max=8))


def _styled_generator() -> StyledGenerator:
    smallest = dataclasses.replace(
        NARROW,
        image_size=16,
        render_size=16,
        backbone=dataclasses.replace(NARROW.backbone, plane_size=4),
        superresolution=None,
    )
    return StyledGenerator(StyledGeneratorConfig.around(smallest, modres="residual"))


_NETWORKS: dict[str, Callable[[], Any]] = {
    "generator": tiny_generator,
    "features": _features,
    "encoder": _encoder,
    "image-to-triplane": _image_to_triplane,
    "landmarks": _landmarks,
    "discriminator": _discriminator,
    "region-generator": tiny_region_generator,
    "portrait-encoder": tiny_network,
    "styled-generator": _styled_generator,
}
_PORTRAITS: dict[str, Callable[[], Portrait]] = {
    "portrait": tiny_portrait,
    "upsampled portrait": lambda: tiny_portrait(tiny_superresolved_config()),
    "portrait of regions": lambda: ComposePipeline(tiny_region_generator())(7),
}
KINDS = (*_PORTRAITS, *_NETWORKS)


def load(kind: str, path: Path) -> Any:
    """Open a file as its verb would."""
    return Portrait.load(path) if kind in _PORTRAITS else load_network(path, kind)


@cache
def whole(kind: str) -> bytes:
    """Return a valid file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.safetensors"
        if kind in _PORTRAITS:
            _PORTRAITS[kind]().save(path)
        else:
            save_module(path, _NETWORKS[kind](), dtype=None)
        return path.read_bytes()


def parts(kind: str) -> tuple[Fields, dict[str, Tensor]]:
    """Return the header's fields and the tensors of a valid file."""
    content = whole(kind)
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    return json.loads(table["__metadata__"][FORMAT]), safetensors.torch.load(content)


def rewritten(path: Path, fields: Fields, tensors: Mapping[str, Tensor]) -> Path:
    """Write a file whose hash is right, whatever it holds."""
    known = {field.name for field in dataclasses.fields(FileHeader)}
    try:
        header = FileHeader(**{name: fields[name] for name in known & fields.keys()})
        fields = {**fields, "sha256": hash_of(header, content_hash(tensors))}
    except (TypeError, ValueError):
        pass  # so broken that it has no hash
    table = {FORMAT: json.dumps(fields)}
    path.write_bytes(safetensors.torch.save(dict(tensors), table))
    return path


def with_field(fields: Fields, where: str, value: Any) -> Fields:
    """Return fields with one value replaced; `where` is its dotted place."""
    changed = copy.deepcopy(fields)
    *above, last = where.split(".")
    holder = changed
    for name in above:
        holder = holder[name]
    holder[last] = value
    return changed


def with_table(table: bytes, content: bytes = b"") -> bytes:
    """Return a safetensors file of a hand-made table."""
    return len(table).to_bytes(8, "little") + table + content


def camera_label(**changes: float) -> Tensor:
    """Return the frontal label [1, 25] with some numbers replaced, by index."""
    label = tiny_portrait().camera.label25().clone()
    for index, value in changes.items():
        label[0, int(index.removeprefix("n"))] = value
    return label


def is_usable(camera: Camera) -> bool:
    """Return whether all numbers of a camera are finite."""
    return bool(torch.isfinite(camera.label25()).all())
