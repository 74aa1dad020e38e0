"""3DPE's encoder: a photo, and a prompt where it has one, to the planes of a portrait."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.ops.precision import at_least_float32
from triptych.systems.edit.encoder_config import (
    IMAGE_MULTIPLE,
    TriplaneEncoderConfig,
    live3d_encoder,
    live3d_light_encoder,
    published_encoder,
)
from triptych.systems.edit.low_branch import (
    IMAGE_CHANNELS,
    LowEncoder,
    PyramidDecoder,
    ResidualTrunk,
)
from triptych.systems.edit.plane_branch import PlaneBranch
from triptych.systems.edit.preprocessing import with_coordinates
from triptych.systems.edit.prompt_branch import PromptBranch
from triptych.systems.edit.token_blocks import convolution, initialise

__all__ = [
    "PhotoFeatures",
    "TriplaneEncoder",
    "TriplaneEncoderConfig",
    "live3d_encoder",
    "live3d_light_encoder",
    "published_encoder",
]


@dataclass(frozen=True, eq=False)
class PhotoFeatures:
    """What an encoder knows of photos before it sees a prompt.

    Attributes:
        low: Low features [b, c, h, w].
        high: High features [b, c, h, w].
        queries: Queries to a prompt [b, d, h / 4, w / 4]; None without a prompt branch.
    """

    low: Tensor
    high: Tensor
    queries: Tensor | None

    def __getitem__(self, index: int) -> PhotoFeatures:
        """Return those of one photo, as a batch of one."""
        parts = (self.low, self.high, self.queries)
        low, high, queries = (None if part is None else part[index : index + 1] for part in parts)
        assert low is not None
        assert high is not None
        return PhotoFeatures(low, high, queries)


class HighEncoder(nn.Module):
    """The high branch: convolutions that see little around a pixel."""

    def __init__(self, config: TriplaneEncoderConfig) -> None:
        super().__init__()
        light = config.layout == "LT"
        first, second, *others = config.high_widths
        layers: list[nn.Module] = [
            convolution(IMAGE_CHANNELS, first, stride=2, kernel=7),
            nn.LeakyReLU(),
            convolution(first, second, stride=2 if light else 1),
        ]
        for width in others:
            layers += [nn.LeakyReLU(), convolution(second, width)]
            second = width
        if not light:
            layers.append(nn.LeakyReLU())
        self.net = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Return high features of inputs [b, 5, h, w]: a quarter of their size, in Normal half."""
        first, activation, second, *others = self.net
        found = second(activation(first(image)).to(second.weight))
        for layer in others:
            found = layer(found)
        return found


class TriplaneEncoder(nn.Module):
    """Photo features, prompt tokens and planes; every step is a pure function.

    Parameter names are those of 3DPE's and Live3D's published checkpoints.

    Args:
        config: What to build.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference:
        Bai et al., Real-time 3D-aware Portrait Editing from a Single Image (2024); Trevithick et
        al., Real-Time Radiance Fields for Single-Image Portrait View Synthesis (2023).
    """

    Base_encoder: PlaneBranch | None
    plane_mean: Tensor
    plane_std: Tensor

    def __init__(
        self, config: TriplaneEncoderConfig, *, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = ResidualTrunk(config)
        self.decoder = PyramidDecoder(config)
        self.F_encoder = LowEncoder(config)
        self.EHigh_encoder = HighEncoder(config)
        self.Final_encoder = PlaneBranch(config)
        self.register_module("Base_encoder", PlaneBranch(config) if config.keeps_base else None)
        self.Ref_encoder: PromptBranch | None = None
        if config.prompt is not None:
            self.Ref_encoder = PromptBranch(config.prompt, config.high_widths[-1])
        if config.whitened:
            channels, size = config.plane_channels, config.plane_size
            self.register_buffer("plane_mean", torch.zeros(3, channels, size, size))
            self.register_buffer("plane_std", torch.ones(3, channels, 1, 1))
        initialise(self, rng or torch.Generator().manual_seed(0))

    @torch.no_grad()
    def set_plane_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Store a generator's mean plane [3, c, h, w] and spread [3, c, 1, 1].

        A new encoder predicts the mean plane from then on.
        """
        self.plane_mean.copy_(mean)
        self.plane_std.copy_(std)
        *_, last_weight, _ = self.Final_encoder.output_net.parameters()
        last_weight.zero_()  # nothing has to be unlearned first

    def photo_features(
        self, image: Tensor, *, dropout: torch.Generator | None = None
    ) -> PhotoFeatures:
        """Return what does not depend on a prompt.

        Args:
            image: Pictures [b, 3, h, w] in [-1, 1], h and w multiples of 16.
            dropout: Source of dropped values of the pyramid. Its dropout belongs to training;
                3DPE's released script leaves it on in use, so that its results differ from call to
                call. None, the default, drops nothing.
        """
        if (
            image.ndim != 4
            or image.shape[1] != 3
            or any(s % IMAGE_MULTIPLE for s in image.shape[2:])
        ):
            raise UserError(
                f"photo: got {list(image.shape)}; expected [b, 3, h, w], h and w multiples of "
                f"{IMAGE_MULTIPLE}"
            )
        placed = with_coordinates(image.to(self.encoder.conv1.weight), self.config.coordinates)
        low = self.F_encoder(self.decoder(self.encoder(placed)[-1], dropout))
        high = self.EHigh_encoder(placed)
        queries = self.Ref_encoder.queries(high) if self.Ref_encoder is not None else None
        return PhotoFeatures(low, high, queries)

    def reference_tokens(self, reference: Tensor) -> Tensor:
        """Return tokens [b, k, d] of references [b, 3, s, s]; see `preprocessing`.

        Raises:
            UserError: The encoder has no prompt branch.
        """
        if self.Ref_encoder is None:
            raise UserError("this encoder takes no prompt; it turns a photo into planes as it is")
        return self.Ref_encoder.mae_encoder(reference)

    def planes(self, photo: PhotoFeatures, tokens: Tensor | None = None) -> Tensor:
        """Return planes [b, 3, c, h, w].

        Args:
            photo: See `photo_features`.
            tokens: Tokens [b or 1, k, d] of a prompt; None leaves the photo as it is, which only
                encoders without a prompt branch were trained for.

        Raises:
            UserError: Tokens are of another width, or there is no branch for them.
        """
        high = photo.high
        if tokens is not None:
            if self.Ref_encoder is None or photo.queries is None:
                raise UserError("this encoder takes no prompt: got tokens; expected None")
            width = photo.queries.shape[1]
            if tokens.ndim != 3 or tokens.shape[2] != width:
                raise UserError(
                    f"prompt tokens: got {list(tokens.shape)}; expected [b, k, {width}]"
                )
            tokens = tokens.to(photo.queries).expand(len(high), -1, -1)
            high = self.Ref_encoder(photo.queries, tokens)
        return self.placed(self.Final_encoder(high, photo.low))

    def unedited_planes(self, photo: PhotoFeatures) -> Tensor:
        """Return the planes [b, 3, c, h, w] of the base: the photo as it is.

        Raises:
            UserError: The encoder edits and does not keep its base.
        """
        if self.Base_encoder is not None:
            return self.placed(self.Base_encoder(photo.high, photo.low))
        if self.Ref_encoder is not None:
            raise UserError(
                "this network does not keep the base that it was trained over, so the unedited "
                "head is unknown to it"
            )
        return self.planes(photo)

    @property
    def knows_unedited(self) -> bool:
        """Whether `unedited_planes` has an answer."""
        return self.Base_encoder is not None or self.Ref_encoder is None

    def placed(self, channels: Tensor) -> Tensor:
        """Return planes of the last part's outputs [b, 3 * c, h, w]."""
        planes = at_least_float32(channels).contiguous().unflatten(1, (3, -1))
        if not self.config.whitened:
            return planes
        return torch.addcmul(self.plane_mean.float(), self.plane_std.float(), planes)

    def forward(self, image: Tensor, reference: Tensor | None = None) -> Tensor:
        """Return planes [b, 3, c, h, w] of photos, edited as references show."""
        tokens = None if reference is None else self.reference_tokens(reference)
        return self.planes(self.photo_features(image), tokens)
