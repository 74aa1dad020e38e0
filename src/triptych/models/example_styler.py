"""An example picture to the numbers of its style: a style encoder and `affine1` of every layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from triptych.config import check_fields
from triptych.errors import UserError
from triptych.fields.recoloured_decoder import ColourChange
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.style_numbers import StyleNumbers
from triptych.models.styled_layers import styled_layers
from triptych.nn.feature_network import (
    AvatarFeatures,
    feature_stages,
    num_style_responses,
    stage_features,
    style_responses,
)
from triptych.ops.resize import fit_size

_SLOPE = 0.2
_FLOOR = 1e-5
_COLOURS = ("hidden_weight", "hidden_bias", "weight", "bias")


@dataclass(frozen=True)
class ExampleStylerConfig:
    """Sizes, and the generator that the numbers are for.

    Attributes:
        generator: Its name.
        sha256: Hash of its file.
        layers: Names of its styled layers.
        inputs: Input channels of each.
        outputs: Output channels of each.
        decoder: Its decoder's channels, hidden width and features; None where a super-resolution
            network follows.
        image_size: Side at which pictures are looked at.
        channels: Widths of the stages of the body.
        style_width: Width of the body's response to styles.
        hidden: Width of the hidden layer between statistics and code.
        code: Width of the style code.
    """

    generator: str
    sha256: str
    layers: tuple[str, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    decoder: tuple[int, int, int] | None = None
    image_size: int = 128
    channels: tuple[int, ...] = (24, 48, 96, 160, 192)
    style_width: int = 256
    hidden: int = 192
    code: int = 96

    def __post_init__(self) -> None:
        widths = ("inputs", "outputs", "decoder", "channels", "style_width", "hidden", "code")
        check_fields(self, image_size=(64, 1024), **{name: (1, 4096) for name in widths})
        if not len(self.layers) == len(self.inputs) == len(self.outputs) <= 100:
            raise UserError("layers, inputs and outputs: expected one number of each per layer")
        if len(self.channels) != 5 or len(set(self.layers)) != len(self.layers):
            raise UserError("channels: expected five; layers: expected no name twice")

    @classmethod
    def of(
        cls, generator: TriPlaneGenerator, name: str, sha256: str, body: AvatarFeatures
    ) -> ExampleStylerConfig:
        """Return the configuration for a generator, with the stages of a trained body."""
        places = list(styled_layers(generator))
        decoder = None
        if generator.config.superresolution is None:
            features, hidden = ColourChange.shapes(generator.decoder)["weight"]
            decoder = generator.config.backbone.plane_channels, hidden, features
        return cls(
            name,
            sha256,
            tuple(place.name for place in places),
            tuple(place.layer.affine.weight.shape[0] for place in places),
            tuple(place.layer.bias.shape[0] for place in places),
            decoder,
            channels=body.config.channels,
            style_width=_first_of_style_head(body).out_features,
        )


class ExampleStyler(nn.Module):
    """Channel statistics of a picture's features, a style code, and one affine map per layer.

    As in PStyle-3D, an encoder makes a code w_s of an example picture and affine maps of it give
    the factors of every styled layer. Here the encoder is small: the stages of a feature network,
    means and deviations of their channels (what AdaIN calls a style) and the response of its style
    classifier, then two linear layers. Further affine maps give shifts of biases and the change of
    the decoder's colours; see `StyleNumbers`. An untrained one leaves heads as they are.

    Args:
        config: What to build.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference: PStyle-3D (released code); Huang and Belongie, AdaIN (2017).
    """

    statistics_mean: Tensor
    statistics_deviation: Tensor

    def __init__(self, config: ExampleStylerConfig, *, rng: torch.Generator | None = None) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        self.stages = feature_stages(config.channels)
        self.style = nn.Linear(num_style_responses(config.channels), config.style_width)
        num_statistics = 2 * (3 + sum(config.channels)) + config.style_width
        self.register_buffer("statistics_mean", torch.zeros(num_statistics))
        self.register_buffer("statistics_deviation", torch.ones(num_statistics))
        self.encode = nn.Sequential(
            nn.Linear(num_statistics, config.hidden),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(config.hidden, config.code),
            nn.LeakyReLU(_SLOPE),
        )
        self.affine1 = nn.ModuleList(nn.Linear(config.code, width) for width in config.inputs)
        self.shift = nn.ModuleList(nn.Linear(config.code, width) for width in config.outputs)
        self.colours = nn.ModuleDict()
        for name, shape in self._colour_shapes().items():
            self.colours[name] = nn.Linear(config.code, torch.Size(shape).numel())
        for layer in self.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                fan_in = layer.weight[0].numel()
                layer.weight.data = torch.randn(layer.weight.shape, generator=rng)
                layer.weight.data *= (2 / fan_in) ** 0.5
                layer.bias = nn.Parameter(torch.zeros(layer.weight.shape[0]))
        for affine in (*self.affine1, *self.shift, *self.colours.values()):
            assert isinstance(affine, nn.Linear)
            nn.init.zeros_(affine.weight)
        for affine in self.affine1:
            assert isinstance(affine, nn.Linear)
            nn.init.ones_(affine.bias)

    def start_from(self, body: AvatarFeatures) -> None:
        """Take stages and response to styles from a trained feature network."""
        self.stages.load_state_dict(body.stages.state_dict())
        self.style.load_state_dict(_first_of_style_head(body).state_dict())

    def set_statistics(self, pictures: Tensor) -> None:
        """Let statistics of pictures [n, 3, s, s] have mean 0 and deviation 1."""
        with torch.no_grad():
            measured = self.raw_statistics(pictures)
        self.statistics_mean.copy_(measured.mean(dim=0))
        self.statistics_deviation.copy_(measured.std(dim=0).clamp_min(1e-3))

    def forward(self, image: Tensor) -> StyleNumbers:
        """Return the styles of pictures [b, 3, s, s] in [-1, 1], each by itself."""
        return self.numbers(self.statistics(image))

    def statistics(self, image: Tensor) -> Tensor:
        """Return what the code is made of [b, n], for pictures [b, 3, s, s] in [-1, 1]."""
        return (self.raw_statistics(image) - self.statistics_mean) / self.statistics_deviation

    def numbers(self, statistics: Tensor) -> StyleNumbers:
        """Return the styles of statistics [b, n]."""
        code, config = self.encode(statistics), self.config
        factors, shifts = (
            {name: affine(code) for name, affine in zip(config.layers, affines, strict=True)}
            for affines in (self.affine1, self.shift)
        )
        parts = {
            name: self.colours[name](code).unflatten(1, shape)
            for name, shape in self._colour_shapes().items()
        }
        return StyleNumbers(factors, shifts, ColourChange(**parts) if parts else None)

    def raw_statistics(self, image: Tensor) -> Tensor:
        """Return the statistics [b, n] before they are normalised."""
        image = fit_size(image, self.config.image_size)
        features = stage_features(self.stages, image)
        maps = (image, *features.values())
        means = [values.mean(dim=(2, 3)) for values in maps]
        deviations = [(values.var(dim=(2, 3)) + _FLOOR).sqrt() for values in maps]
        response = functional.relu(self.style(style_responses(features)))
        return torch.cat([*means, *deviations, response], dim=1)

    def _colour_shapes(self) -> dict[str, tuple[int, ...]]:
        if self.config.decoder is None:
            return {}
        channels, hidden, features = self.config.decoder
        shapes = ((hidden, channels), (hidden,), (features, hidden), (features,))
        return dict(zip(_COLOURS, shapes, strict=True))


def _first_of_style_head(body: AvatarFeatures) -> nn.Linear:
    first = body.style_head[0]
    assert isinstance(first, nn.Linear)
    return first
