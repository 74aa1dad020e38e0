"""Configurations of 3DpSp encoders: the published size, the avatar size, quirks by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from triptych.camera import FOCAL, focal_from_fov_deg
from triptych.config import check_fields
from triptych.errors import UserError
from triptych.nn.ir_se import IR_SE50_UNITS, IR_SE50_WIDTHS, Squeeze, check_groups

PUBLISHED_MEAN_FOCAL = focal_from_fov_deg(18.837)


@dataclass(frozen=True)
class RestyleConfig:
    """How an encoder is applied several times, each time with its reconstruction so far.

    Attributes:
        num_steps: Steps that the encoder was trained for.
        mean_view: From where the mean portrait is shown at the first step: "frontal" as published,
            whatever the camera of the picture, or "target": from the camera of the picture.
        mean_focal: Focal length of that frontal camera. 3DpSp derives it from a field of view of
            18.837 degrees, which is not quite the 4.2647 of all its labels.
        mean_noise: Noise maps of the mean portrait's planes: "random" as published (here from a
            fixed seed), or "const" as in all other steps.
        render_size: Side at which rays are cast for the picture that is fed back; None takes the
            generator's own. Small for speed: the encoder only sees where it stands.
    """

    num_steps: int = 5
    mean_view: Literal["frontal", "target"] = "frontal"
    mean_focal: float = PUBLISHED_MEAN_FOCAL
    mean_noise: Literal["random", "const"] = "random"
    render_size: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, num_steps=(1, 100), mean_focal=(0.01, 1000), render_size=(4, 2048))


@dataclass(frozen=True)
class PspConfig:
    """Sizes and variants of an encoder; the defaults are those of the published 3DpSp.

    Attributes:
        image_size: Side of the pictures it sees.
        image_channels: 6: the picture and its reconstruction so far; 3: the picture alone (pSp).
        widths: Channels of the four groups of residual units. The first is the stem's, the last
            that of the feature pyramid.
        units: Residual units of each group.
        squeeze: "max" is needed by published 3DpSp weights; pSp and ReStyle take the "mean".
        head_width: Channels of the style heads.
        heads: How many style codes come from the coarse, the middle and the fine level.
        w_dim: Width of style codes.
        linear_rate: Equalised learning rate multiplier of each head's linear map: 1 as published.
            Its stored weights have unit size, so at the rate that suits the convolutions they
            hardly move; a larger multiplier lets them.
        camera_code: Width of what each head makes of the camera; 0 leaves cameras out (pSp).
        restyle: How the encoder is iterated.
    """

    image_size: int = 256
    image_channels: int = 6
    widths: tuple[int, ...] = IR_SE50_WIDTHS
    units: tuple[int, ...] = IR_SE50_UNITS
    squeeze: Squeeze = "max"
    head_width: int = 512
    heads: tuple[int, int, int] = (3, 4, 7)
    w_dim: int = 512
    linear_rate: float = 1.0
    camera_code: int = 16
    restyle: RestyleConfig = RestyleConfig()

    def __post_init__(self) -> None:
        check_fields(
            self,
            image_size=(32, 2048),
            widths=(1, 4096),
            units=(1, 64),
            head_width=(1, 4096),
            heads=(0, 64),
            w_dim=(1, 4096),
            linear_rate=(1e-6, 1e6),
            camera_code=(0, 4096),
        )
        check_groups(self.widths, self.units)
        if self.image_size < 32 or self.image_size & (self.image_size - 1):
            raise UserError(f"image_size: got {self.image_size}; expected a power of two from 32")
        if self.image_channels not in (3, 6):
            raise UserError(f"image_channels: got {self.image_channels}; expected 3 or 6")
        if min(self.heads) < 0 or sum(self.heads) < 1:
            raise UserError(f"heads: got {self.heads}; expected three counts, not all zero")
        if not self.sees_reconstruction and self.restyle.num_steps > 1:
            raise UserError(
                "an encoder of 3 channels does not see its reconstruction: set restyle.num_steps "
                f"to 1; got {self.restyle.num_steps}"
            )

    @property
    def num_ws(self) -> int:
        """Style codes that it predicts."""
        return sum(self.heads)

    @property
    def sees_reconstruction(self) -> bool:
        """Whether its reconstruction so far is an input."""
        return self.image_channels == 6

    @property
    def level_sizes(self) -> tuple[int, int, int]:
        """Sides of the coarse, the middle and the fine feature map."""
        return self.image_size // 16, self.image_size // 8, self.image_size // 4


def official_config() -> PspConfig:
    """Return the published size: 256 pixels to 14 codes of 512, 230 million parameters."""
    return PspConfig()


def avatar_config(w_dim: int = 256, num_ws: int = 12) -> PspConfig:
    """Return the embedded size: 128 pixels, 4.4 million parameters, without published quirks.

    Args:
        w_dim: Width of the generator's style codes.
        num_ws: Number of them.
    """
    coarse, middle = min(3, num_ws), min(4, max(0, num_ws - 3))
    return PspConfig(
        image_size=128,
        widths=(24, 48, 96, 128),
        units=(2, 3, 4, 2),
        squeeze="mean",
        head_width=64,
        heads=(coarse, middle, num_ws - coarse - middle),
        w_dim=w_dim,
        linear_rate=16.0,
        restyle=RestyleConfig(
            mean_view="target", mean_focal=FOCAL, mean_noise="const", render_size=64
        ),
    )
