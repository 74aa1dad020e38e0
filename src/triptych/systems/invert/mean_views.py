"""The mean portrait as the encoder is first shown it, kept for cameras that are nearly alike."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.ops.resize import fit_size
from triptych.systems.invert.encoder import PspEncoder
from triptych.systems.invert.head_views import HeadViews
from triptych.systems.invert.restyle import GeneratorSynthesis, mean_picture

_STEP = 0.1


class MeanViews:
    """First reconstructions by camera.

    In training, cameras whose matrices agree when rounded to steps of 0.1 share a picture: the
    mean portrait turns by a few degrees, and training saves a rendering per target.

    Args:
        encoder: Says from where the mean portrait is seen, and knows the mean style codes.
        views: Renderer of the generator.
    """

    def __init__(self, encoder: PspEncoder, views: HeadViews) -> None:
        self._encoder, self._views = encoder, views
        self._shown: dict[tuple[int, ...], Tensor] = {}
        self._planes: Tensor | None = None

    @torch.no_grad()
    def __call__(self, camera: Camera) -> Tensor:
        """Return the first reconstruction [3, e, e] for the camera of a target."""
        config = self._encoder.config
        frontal = config.restyle.mean_view == "frontal"
        key = () if frontal else _rounded(camera)
        if key not in self._shown:
            shown = self._frontal(camera) if frontal else self._seen_from(camera)
            self._shown[key] = fit_size(shown, config.image_size)[0]
        return self._shown[key]

    def _frontal(self, camera: Camera) -> Tensor:
        size = self._encoder.config.restyle.render_size
        return mean_picture(self._encoder, GeneratorSynthesis(self._views.generator, size), camera)

    def _seen_from(self, camera: Camera) -> Tensor:
        ws = self._encoder.latent_mean[None]
        if self._planes is None:
            self._planes = self._views.generator.planes(ws).float()
        size = self._encoder.config.restyle.render_size
        return self._views.preview(self._planes, ws, camera, size)


def _rounded(camera: Camera) -> tuple[int, ...]:
    numbers = camera.cam2world[0, :3].flatten() / _STEP
    return tuple(int(number) for number in numbers.round().tolist())
