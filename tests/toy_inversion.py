"""An inversion small enough for every test: toy encoder, judges that need no files."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera, look_at_camera
from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.photos.aligner import PhotoAligner
from triptych.systems.invert.encoder import PspConfig, PspEncoder, RestyleConfig
from triptych.systems.invert.pipeline import InvertPipeline
from triptych.systems.invert.settings import CodeSettings, InvertSettings, TuningSettings
from triptych.training.head_views import ViewSettings

SIZE = 32
CAMERA = look_at_camera(0.25, 0.1)
SETTINGS = InvertSettings(
    camera_steps=4,
    views=ViewSettings(patch=16, strides=(1, 2), whole_size=16, coarse=12, fine=6),
    codes=CodeSettings(steps=12, learning_rate=0.05, keep=0.0),
    tuning=TuningSettings(steps=6, learning_rate=3e-3),
)


class BlockColours:
    """Two pictures are as far apart as the colours of 4 x 4 blocks; a person is those colours."""

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        return (_blocks(first) - _blocks(second)).square().mean(dim=1)

    def embed(self, image: Tensor) -> Tensor:
        return functional.normalize(_blocks(image), dim=1)


def _blocks(image: Tensor) -> Tensor:
    return functional.adaptive_avg_pool2d(image, 4).flatten(1)


def toy_judges() -> MetricNetworks:
    """Return judges that need no weights."""
    return MetricNetworks(
        BlockColours(), BlockColours(), {"perceptual": "blocks", "identity": "blocks"}
    )


def toy_encoder(generator: TriPlaneGenerator, *, num_steps: int = 3) -> PspEncoder:
    """Return a random encoder that fits a generator and takes small steps from its mean codes."""
    config = PspConfig(
        image_size=SIZE,
        widths=(4, 6, 8, 8),
        units=(1, 1, 1, 1),
        squeeze="mean",
        head_width=8,
        heads=(2, 2, generator.num_ws - 4),
        w_dim=generator.config.w_dim,
        linear_rate=16.0,
        camera_code=4,
        restyle=RestyleConfig(
            num_steps=num_steps, mean_view="target", mean_noise="const", render_size=16
        ),
    )
    encoder = PspEncoder(config)
    rng = torch.Generator().manual_seed(1)
    for head in encoder.styles:  # a new encoder takes no step
        torch.nn.init.normal_(head.linear.weight, std=0.02, generator=rng)
    z = torch.randn(200, generator.config.z_dim, generator=rng)
    codes = generator.mapping(z)
    encoder.set_latent_statistics(codes.mean(dim=0), codes.std(dim=0))
    return encoder.eval()


def toy_pipeline(generator: TriPlaneGenerator) -> InvertPipeline:
    """Return the pipeline in miniature."""
    aligner = PhotoAligner(generator.config.photo_framing(), detector="avatar", size=64)
    return InvertPipeline(generator, toy_encoder(generator), toy_judges(), aligner, name="toy")


def head_of(generator: TriPlaneGenerator, camera: Camera = CAMERA, seed: int = 9) -> Tensor:
    """Return the picture [1, 3, s, s] of one of the generator's own heads."""
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return generator.synthesis(generator.mapping(z), camera).image.clamp(-1, 1)
