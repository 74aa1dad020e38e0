"""Splats of a portrait: discs on its surface, fitted to renders from all sides."""

from __future__ import annotations

import math
from dataclasses import fields

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.arguments import checked
from triptych.camera import Camera
from triptych.errors import check_whole
from triptych.export.splats.compositing import LEAST_ALPHA
from triptych.export.splats.fast_compositing import composite_fast
from triptych.export.splats.projection import LOW_PASS, flatten
from triptych.export.splats.splats import Splats
from triptych.export.splats.surface_splats import surface_splats
from triptych.ops.resize import resize
from triptych.portrait import Portrait, View
from triptych.progress import Progress, no_progress

RESOLUTION, STEPS = 129, 60
_MOST_PIXELS = 256
_SHOWN_SIZE = 256
"""Splats are low-pass filtered as in pictures of twice their renders' size, up to this one: a
filter of large pixels would close gaps between splats that open where they are seen larger."""
_RINGS = ((0.0, 1.3, 11), (0.4, 0.9, 6), (-0.4, 0.9, 5))  # pitch, largest yaw, views
_BEHIND = (1.6, 4.7, 7)  # yaws, views
_RATES = {
    "positions": 0.05,  # cells of the grid
    "log_scales": 0.02,
    "rotations": 0.02,
    "opacity_logits": 0.05,
    "coefficients": 0.05,
}
_BETAS = (0.9, 0.99)
_ABSOLUTE, _SQUARED = 0.5, 4.0


@checked
def fit_splats(
    portrait: Portrait,
    *,
    resolution: int = RESOLUTION,
    steps: int = STEPS,
    size: int | None = None,
    progress: Progress | None = None,
) -> Splats:
    """Return splats that look like a portrait from all sides; deterministic, on the CPU.

    They start as discs on the surface, and positions, shapes, colours and opacities are fitted by
    Adam to colour and opacity of 29 renders, one a step; so they spread where hair is soft. What
    has become invisible is dropped.

    Args:
        portrait: The portrait.
        resolution: Samples along each side of the box, 16 to 256; the number of splats grows with
            its square (about 40,000 for a head at 129).
        steps: Steps of the fit, 0 to 10,000.
        size: Side of the renders in pixels, 16 to 1024; the portrait's `picture_size` by default,
            up to 256.
        progress: Called with (stage, done, total).

    Raises:
        UserError: A number is out of range, or the portrait has no surface.
    """
    check_whole("splat resolution", resolution, 16, 256)
    check_whole("splat steps", steps, 0, 10_000)
    size = min(portrait.picture_size, _MOST_PIXELS) if size is None else size
    check_whole("size of renders for splats", size, 16, 1024)
    report = progress or no_progress
    start = surface_splats(portrait, resolution)
    if steps == 0:
        return start
    cameras = fitting_cameras(portrait)
    targets = []
    for index in range(len(cameras)):
        report("rendering for splats", index, len(cameras))
        view = portrait.render(cameras[index], size)
        targets.append(over_nothing(view, portrait.rendering.background))
    report("rendering for splats", len(cameras), len(cameras))
    return _fitted(start, cameras.to("cpu"), targets, steps, portrait.box_size / resolution, report)


def fitting_cameras(portrait: Portrait) -> Camera:
    """Return the views that splats are fitted to: three rings around the face, and the back."""
    yaws, pitches = [torch.linspace(*_BEHIND)], [torch.zeros(_BEHIND[2])]
    for pitch, reach, views in _RINGS:
        yaws.append(torch.linspace(-reach, reach, views))
        pitches.append(torch.full((views,), pitch))
    return portrait.orbit(torch.cat(yaws), torch.cat(pitches))


def over_nothing(view: View, background: float) -> Tensor:
    """Return colour in [0, 1] times opacity, and opacity, of one view [4, h, w], on the CPU."""
    image = (view.image[0].float().cpu().clamp(-1, 1) + 1) / 2
    alpha = view.alpha.float().cpu()
    if alpha.shape[-1] != image.shape[-1]:
        alpha = resize(alpha, image.shape[-1])
    alpha = alpha[0].clamp(0, 1)
    colour = image - (1 - alpha) * (background + 1) / 2
    # neither darker than nothing nor brighter than white, where a background is not as said
    return torch.cat([torch.minimum(colour.clamp_min(0), alpha), alpha])


def _fitted(
    start: Splats, cameras: Camera, targets: list[Tensor], steps: int, cell: float, report: Progress
) -> Splats:
    values = {one.name: getattr(start, one.name).clone() for one in fields(start)}
    splats = Splats(**{name: value.requires_grad_() for name, value in values.items()})
    rates = {name: rate * (cell if name == "positions" else 1) for name, rate in _RATES.items()}
    groups = [{"params": [values[name]], "lr": rate} for name, rate in rates.items()]
    adam = torch.optim.Adam(groups, betas=_BETAS, eps=1e-15)
    slowing = torch.optim.lr_scheduler.LambdaLR(adam, lambda done: min(1, 2 * (1 - done / steps)))
    draws = torch.Generator().manual_seed(0)
    order: list[int] = []
    size = targets[0].shape[-1]
    shown = max(size, min(2 * size, _SHOWN_SIZE))
    low_pass = LOW_PASS * (size / shown) ** 2
    for step in range(steps):
        report("fitting splats", step, steps)
        order = order or torch.randperm(len(targets), generator=draws).tolist()
        index = order.pop()
        with torch.enable_grad():
            flat = flatten(splats, cameras[index], size, low_pass=low_pass)
            picture = composite_fast(flat, size)
            loss = _ABSOLUTE * F.l1_loss(picture, targets[index])
            loss = loss + _SQUARED * F.mse_loss(picture, targets[index])
            adam.zero_grad()
            loss.backward()
        adam.step()
        slowing.step()
    report("fitting splats", steps, steps)
    seen = values["opacity_logits"].detach() >= math.log(LEAST_ALPHA / (1 - LEAST_ALPHA))
    return Splats(**{name: value.detach()[seen] for name, value in values.items()})
