"""The small 3DPE of the reference numbers, built from the sizes in its own `config.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reference_numbers import ReferenceNumbers
from safetensors.torch import load_file
from torch import Tensor

from triptych.camera import focal_from_fov_deg
from triptych.models.eg3d_config import BackboneConfig, DecoderConfig, EG3DConfig, ViewConfig
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.render.renderer import RenderConfig
from triptych.systems.edit.encoder_config import PromptBranchConfig, TriplaneEncoderConfig
from triptych.systems.edit.network import (
    PUBLISHED_FOV_DEG,
    PortraitEncoder,
    PortraitEncoderConfig,
)
from triptych.weights.safetensors_file import fill_module

STAGE = 5e-5
"""Largest error of a stage, as a share of its largest value."""
RENDERED, UPSAMPLED = 1e-4, 5e-4
"""What the reference numbers' own README tolerates of pictures."""
_PLANES = 3
_KEPT = re.compile(r"_(ch|stride|every|first)(\d+)")
_SELECTIONS: dict[str, Callable[[int], Any]] = {
    "ch": lambda n: (slice(None), slice(None, None, n)),
    "stride": lambda n: (..., slice(None, None, n), slice(None, None, n)),
    "every": lambda n: (slice(None), slice(None, None, n)),
    "first": lambda n: (slice(None), slice(n)),
}
"""What a suffix of a name says was kept of a tensor."""


class SmallEdit:
    """The fixture's files.

    Args:
        folder: The folder of the fixture.
    """

    def __init__(self, folder: Path) -> None:
        self.sizes: dict[str, Any] = json.loads((folder / "config.json").read_text())
        self.grad_norms = json.loads((folder / "grad_norms.json").read_text())
        self.numbers = ReferenceNumbers.read(folder / "io.safetensors")
        self.state = load_file(folder / "state_dict.safetensors")

    @property
    def encoder_config(self) -> TriplaneEncoderConfig:
        sizes = self.sizes
        used = int(sizes["resnet"]["used_up_to"].removeprefix("layer"))
        low, final, mae, prompt = sizes["F"], sizes["final"], sizes["mae"], sizes["ref"]
        *outputs, planes = final["output_net"]
        return TriplaneEncoderConfig(
            image_size=sizes["input_resolution"],
            trunk_widths=tuple(sizes["resnet"]["planes"][:used]),
            trunk_blocks=tuple(sizes["resnet"]["layers"][:used]),
            pyramid_width=sizes["aspp"]["out_ch"],
            pyramid_rates=tuple(sizes["aspp"]["rates"]),
            low_width=low["embed"],
            low_blocks=low["depth"],
            low_heads=low["heads"],
            low_outputs=(low["out_ch"], low["out_ch"]),
            high_widths=tuple(sizes["ehigh"][1:]),
            fusion_widths=(final["in_ch"],),
            final_width=final["embed"],
            final_heads=final["heads"],
            output_widths=tuple(outputs[1:]),
            plane_channels=planes // _PLANES,
            mlp_ratio=final["mlp_ratio"],
            prompt=PromptBranchConfig(
                image_size=mae["img"],
                patch_size=mae["patch"],
                width=mae["embed"],
                depth=mae["depth"],
                heads=mae["heads"],
                mlp_ratio=mae["mlp_ratio"],
                query_channels=prompt["pre_conv"][1],
            ),
        )

    @property
    def rendering(self) -> EG3DConfig:
        sizes, encoder = self.sizes["renderer"], self.encoder_config
        options = sizes["rendering_kwargs"]
        *_, first, second = sizes["sr_channels"]
        return EG3DConfig(
            w_dim=sizes["w_dim"],
            render_size=sizes["neural_rendering_resolution"],
            box_size=options["box_warp"],
            backbone=BackboneConfig(
                plane_size=encoder.plane_size, plane_channels=encoder.plane_channels
            ),
            decoder=DecoderConfig(sizes["decoder_hidden"], sizes["decoder_out"]),
            rendering=RenderConfig(
                num_coarse=options["depth_resolution"],
                num_fine=options["depth_resolution_importance"],
                ray_start=options["ray_start"],
                ray_end=options["ray_end"],
                disparity_sampling=options["disparity_space_sampling"],
                scope="batch",
            ),
            superresolution=SuperResolutionConfig(
                widths=(first, second),
                antialias=options["sr_antialias"],
                noise_mode=sizes["noise_mode"],
                conv_clamp=sizes["conv_clamp"],
            ),
            view=ViewConfig(
                radius=options["avg_camera_radius"],
                target=tuple(map(float, options["avg_camera_pivot"])),
                focal=focal_from_fov_deg(PUBLISHED_FOV_DEG),
            ),
        )

    def network(self) -> PortraitEncoder:
        """Build the network and fill it; the trunk's unused groups are left out."""
        network = PortraitEncoder(PortraitEncoderConfig(self.encoder_config, self.rendering))
        own = network.state_dict()
        noise = {name: t for name, t in own.items() if name.endswith("noise_const")}
        dropped = {f"renderer.{name.removeprefix('renderer.')}" for name in self.dropped_buffers}
        assert set(noise) == dropped
        used = {name: t for name, t in self.state.items() if not is_unused(name)}
        fill_module(network, {**used, **noise}, "the reference network")
        return network

    @property
    def dropped_buffers(self) -> list[str]:
        return self.sizes["dropped_buffers"]

    def photo(self, name: str = "input") -> Tensor:
        """Photos in [-1, 1]."""
        return self.numbers[f"{name}.image_u8"].float() / 255 * 2 - 1

    def reference(self, name: str = "input") -> Tensor:
        """Reference pictures in [-1, 1], at the size of the prompt branch."""
        return self.numbers[f"{name}.reference_u8"].float() / 255 * 2 - 1


def is_unused(name: str) -> bool:
    """Say whether a tensor belongs to groups of the trunk that are never run."""
    return name.startswith(("encoder.encoder.layer3.", "encoder.encoder.layer4."))


def check_stage(found: Tensor, small: SmallEdit, name: str, limit: float = STAGE) -> None:
    """Compare a tensor with a stage, kept whole or at every so many places."""
    (key,) = (key for key in small.numbers if _KEPT.sub("", key) == name)
    for what, number in _KEPT.findall(key):
        found = found[_SELECTIONS[what](int(number))]
    expected = small.numbers[key]
    assert found.shape == expected.shape, f"{name}: {list(found.shape)}, {list(expected.shape)}"
    error = float((found - expected).abs().max() / expected.abs().max())
    assert error <= limit, f"{name}: relative error {error:.2e} is beyond {limit:.0e}"
