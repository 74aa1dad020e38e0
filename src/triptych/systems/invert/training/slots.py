"""The ReStyle iterations that a training run has under way, one per slot of its batch.

Each target stays in its slot for as many steps as the encoder will be applied at run time, while
the encoder goes on learning. Every step is trained on at the price of one, and a batch holds first
and later steps side by side, so that its normalisation statistics suit them all. Without stagger,
and with all steps of a target in one update, this is the published scheme.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.ops.resize import fit_size
from triptych.systems.invert.encoder import PspEncoder
from triptych.systems.invert.restyle import GeneratorSynthesis, mean_picture
from triptych.systems.invert.training.targets import Target
from triptych.training.head_views import HeadViews


@dataclass(frozen=True)
class SlotBatch:
    """The state of b iterations.

    Attributes:
        image, second: Pictures and their second views [b, 3, s, s].
        camera, second_camera: Their cameras.
        seen: What the encoder is shown of the pictures [b, 3, s, s].
        known_ws: True style codes [b, k, d]; zero where unknown.
        is_known: Whether they are known [b].
        uncertainty: Of the mirrored pictures [b, s, s]; 0 where there is no map.
        ws: Style codes so far [b, k, d].
        reconstruction: What the encoder is shown of them [b, 3, e, e].
    """

    image: Tensor
    second: Tensor
    camera: Camera
    second_camera: Camera
    seen: Tensor
    known_ws: Tensor
    is_known: Tensor
    uncertainty: Tensor
    ws: Tensor
    reconstruction: Tensor


@dataclass
class _Slot:
    target: Target
    ws: Tensor
    reconstruction: Tensor
    steps_left: int


class RestyleSlots:
    """Targets with the style codes and reconstructions that they have reached.

    Args:
        places: Number of each slot within the batch of all processes.
        num_steps: Steps a target stays.
        start: Returns the mean style codes [k, d].
        first_reconstruction: Returns what the encoder is shown first [3, e, e] for a camera.
        stagger: Let the targets of the first batch leave at different steps.
    """

    def __init__(
        self,
        places: range,
        num_steps: int,
        *,
        start: Callable[[], Tensor],
        first_reconstruction: Callable[[Camera], Tensor],
        stagger: bool,
    ) -> None:
        self._places, self._num_steps, self._stagger = places, num_steps, stagger
        self._start, self._first_reconstruction = start, first_reconstruction
        self._slots: list[_Slot] = []

    def refill(self, target_of: Callable[[int], Target], seeds: list[int]) -> None:
        """Replace targets after their last step; one seed per slot, used if needed."""
        if not self._slots:
            for place, seed in zip(self._places, seeds, strict=True):
                stay = 1 + place % self._num_steps if self._stagger else self._num_steps
                self._slots.append(self._new(target_of(seed), stay))
            return
        for index, seed in enumerate(seeds):
            if self._slots[index].steps_left == 0:
                self._slots[index] = self._new(target_of(seed), self._num_steps)

    def batch(self) -> SlotBatch:
        """Return the state of all slots."""
        return stacked(
            [slot.target for slot in self._slots],
            torch.stack([slot.ws for slot in self._slots]),
            torch.stack([slot.reconstruction for slot in self._slots]),
        )

    def advance(self, ws: Tensor, reconstruction: Tensor) -> None:
        """Store the codes [b, k, d] and reconstructions [b, 3, e, e] of a step."""
        pred = zip(self._slots, ws.detach(), reconstruction.detach(), strict=True)
        for slot, codes, picture in pred:
            slot.ws, slot.reconstruction = codes, picture
            slot.steps_left -= 1

    def _new(self, target: Target, stay: int) -> _Slot:
        return _Slot(target, self._start(), self._first_reconstruction(target.camera), stay)


def stacked(targets: list[Target], ws: Tensor, reconstruction: Tensor) -> SlotBatch:
    """Return targets with their codes [b, k, d] and reconstructions [b, 3, e, e] as a batch."""
    images = torch.stack([target.image for target in targets])
    nothing = images.new_zeros(images.shape[-2:])
    return SlotBatch(
        image=images,
        second=torch.stack([target.second for target in targets]),
        camera=Camera.stack([target.camera for target in targets]),
        second_camera=Camera.stack([target.second_camera for target in targets]),
        seen=torch.stack([t.image if t.seen is None else t.seen for t in targets]),
        known_ws=torch.stack([torch.zeros_like(ws[0]) if t.ws is None else t.ws for t in targets]),
        is_known=torch.tensor([target.ws is not None for target in targets], device=ws.device),
        uncertainty=torch.stack(
            [nothing if t.uncertainty is None else t.uncertainty for t in targets]
        ),
        ws=ws,
        reconstruction=reconstruction,
    )


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
