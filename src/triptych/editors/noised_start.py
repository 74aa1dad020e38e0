"""FF3D's start of an edit: the picture itself, noised to a part of the schedule.

n* = sqrt(abar_t0) z0 + sqrt(1 - abar_t0) n, where z0 is the latent of the unedited picture and the
noise n is the same for all views, so that the style stays put while the camera moves.

Reference: FF3D (Ma et al., 2023), Eq. 1 and Algorithm 1; SDEdit (Meng et al., 2022).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from triptych.editors.image_editor import NoiseReading
from triptych.errors import UserError


def plan_timesteps(
    scheduler: Any, num_steps: int, noise_level: float, reading: NoiseReading
) -> list[int]:
    """Set up a DDIM scheduler and return the timesteps to run, noisiest first.

    Args:
        scheduler: diffusers' DDIMScheduler; its state changes, so each edit uses its own.
        num_steps: Steps of the whole schedule.
        noise_level: tau in (0,1].
        reading: "skip" leaves out the first num_steps - int(num_steps * tau) steps; "rescale" runs
            all num_steps, spread below tau times the length of the schedule.

    Raises:
        UserError: A number is out of range, or no step is left to run.
    """
    length = scheduler.config.num_train_timesteps
    if not 0 < noise_level <= 1:
        raise UserError(f"noise_level: got {noise_level}; expected more than 0 and at most 1")
    if not 1 <= num_steps <= length:
        raise UserError(f"num_steps: got {num_steps}; expected 1 to {length}")
    if reading == "rescale":
        # The noise levels stay those of the full schedule; only where the steps lie changes.
        scheduler.register_to_config(num_train_timesteps=_floor(noise_level * length))
        if num_steps > scheduler.config.num_train_timesteps:
            raise UserError(
                f"num_steps: got {num_steps} at noise_level {noise_level}; "
                f"expected at most {scheduler.config.num_train_timesteps}"
            )
        scheduler.set_timesteps(num_steps)
        return scheduler.timesteps.tolist()
    num_run = _floor(num_steps * noise_level)
    if num_run == 0:
        raise UserError(
            f"noise_level: got {noise_level} with {num_steps} steps, which leaves no step to run; "
            f"expected at least {1 / num_steps:.3g} or more steps"
        )
    scheduler.set_timesteps(num_steps)
    return scheduler.timesteps.tolist()[num_steps - num_run :]


def start_latents(
    scheduler: Any, z0: Tensor, noise: Tensor, timestep: int, noise_level: float
) -> Tensor:
    """Return the latents [v,c,h,w] at which denoising begins.

    Args:
        scheduler: Holds the noise levels.
        z0: Scaled latents of the unedited pictures [v,c,h,w].
        noise: The one noise [1,c,h,w] of all views.
        timestep: First timestep to be run.
        noise_level: At 1 the start is the noise alone, as InstructPix2Pix itself does.
    """
    noise = noise.expand_as(z0)
    if noise_level == 1:
        return noise.clone()
    return scheduler.add_noise(z0, noise, torch.full((1,), timestep, dtype=torch.long))


def shared_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Draw an edit's noise [1,c,h,w], on the processor: a seed is the same noise on any device."""
    return torch.randn((1, *shape), generator=torch.Generator().manual_seed(seed))


def counted_branches(text_guidance: float, image_guidance: float) -> int:
    """Return how many branches of a prediction count.

    At image guidance 1 the third cancels, and if text guidance is 1 too, so does the second.
    """
    if image_guidance != 1:
        return 3
    return 2 if text_guidance != 1 else 1


def guided(prediction: Tensor, text_guidance: float, image_guidance: float) -> Tensor:
    """Combine the branches of a prediction into one [v,c,h,w].

    Args:
        prediction: Branches behind each other: prompt with picture, negative prompt with picture
            and negative prompt without picture, as many as count
            [v * counted_branches(text_guidance, image_guidance),c,h,w].
        text_guidance: Strength of the prompt.
        image_guidance: Strength of the picture.

    Reference: InstructPix2Pix (Brooks et al., 2023), Eq. 3.
    """
    branches = counted_branches(text_guidance, image_guidance)
    if branches == 1:
        return prediction
    with_text, with_image, *rest = prediction.chunk(branches)
    combined = with_image + text_guidance * (with_text - with_image)
    for without in rest:
        combined = combined + (image_guidance - 1) * (with_image - without)
    return combined


def _floor(value: float) -> int:
    """Round down, but not across a whole number that the product only just missed."""
    return int(value + 1e-9)
