"""The small CNeRF of the reference numbers, built from the sizes in its own `config.json`."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from reference_numbers import ReferenceNumbers
from safetensors.torch import load_file
from torch import Tensor

from triptych.camera import Camera
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import (
    RegionDecoderConfig,
    RegionGeneratorConfig,
    RegionSampling,
    published_view,
)
from triptych.weights.safetensors_file import fill_module

RENDERED, DECODED, EIKONAL, SCORED, MAPPED = 1e-4, 2e-4, 2e-2, 1e-4, 1e-6
"""What the reference numbers' own README tolerates."""


class SmallCNeRF:
    """The fixture's files.

    Args:
        folder: The folder of the fixture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        described = json.loads((folder / "config.json").read_text())
        self.sizes: dict[str, Any] = described["kwargs"]
        self.camera_numbers: dict[str, Any] = described["camera"]
        self.semantics: list[list[int]] = described["semantics_cases"]
        self.truncation: float = described["truncation"]
        self.inputs = ReferenceNumbers.read(folder / "inputs.safetensors")
        self.outputs = ReferenceNumbers.read(folder / "outputs.safetensors")

    @property
    def config(self) -> RegionGeneratorConfig:
        sizes = self.sizes
        widths = {int(size): width for size, width in sizes["decoder_channels"].items()}
        half_angle = math.radians(self.camera_numbers["fov_half_angle_deg"])
        return RegionGeneratorConfig(
            regions=tuple(f"region {index}" for index in range(sizes["n_render"])),
            style_dim=sizes["style_dim"],
            hidden=sizes["width"],
            shape_layers=sizes["depth"],
            texture_layers=sizes["texture_depth"],
            render_size=sizes["renderer_spatial_output_dim"],
            extent=self.camera_numbers["dist_radius"],
            view=replace(published_view(), focal=0.5 / math.tan(half_angle)),
            sampling=RegionSampling(
                num=sizes["N_samples"],
                spacing="offset" if sizes["offset_sampling"] else "stratified",
                directions="static" if sizes["static_viewdirs"] else "real",
            ),
            decoder=RegionDecoderConfig(
                feature_width=sizes["feature_transfer_channels"],
                style_dim=sizes["decoder_style_dim"],
                widths=tuple(widths[size] for size in sorted(widths)),
            ),
        )

    def generator(self) -> RegionGenerator:
        generator = RegionGenerator(self.config)
        state = load_file(self.folder / "generator.safetensors")
        fill_module(generator, state, "the reference generator")
        return generator

    def cameras(self) -> Camera:
        """The cameras of most cases, on this package's sphere."""
        azimuth, elevation = self.inputs["cam/azim_elev"].unbind(1)
        return self.config.view.camera(azimuth, elevation)

    def noises(self) -> list[Tensor]:
        count = sum(name.startswith("noise_") for name in self.inputs)
        return [self.inputs[f"noise_{index}"] for index in range(count)]


def worst(actual: Tensor, expected: Tensor) -> float:
    """Return the largest absolute error."""
    assert actual.shape == expected.shape, f"{list(actual.shape)} != {list(expected.shape)}"
    return float((actual - expected).abs().max())
