"""InstructPix2Pix as FF3D runs it: DDIM, a noised start, one noise for all views.

One class for the official model and for the small embedded one: both are folders of diffusers'
components and differ only in sizes and in their `EditorConfig`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from triptych.editors.image_editor import EditorConfig, EditorWarning, EditRequest
from triptych.editors.latent_codec import LatentCodec, to_size
from triptych.editors.noised_start import (
    counted_branches,
    guided,
    plan_timesteps,
    shared_noise,
    start_latents,
)
from triptych.editors.prompt import check_language, decorated, prompt_notes
from triptych.editors.prompt_encoder import PromptEncoder
from triptych.errors import UserError, check_type
from triptych.ops.placement import channels_last
from triptych.ops.precision import half_precision_where_fast
from triptych.progress import CountProgress

Precision = Literal["auto", "float32"]


class InstructPix2PixEditor:
    """An `ImageEditor` assembled from diffusers' components.

    Attributes:
        config: The editor's own defaults.
        name: Model name or folder, for records.
        precision: "auto" multiplies in bfloat16 where the hardware is faster at it; a UNet whose
            weights are bfloat16 computes in it anyway. The autoencoder always has full precision.
        views_per_batch: Pictures edited at once; each costs three UNet samples per step, two at
            image guidance 1, one if text guidance is 1 too.
    """

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        scheduler: Any,
        config: EditorConfig,
        name: str = "instruct-pix2pix",
        precision: Precision = "auto",
        views_per_batch: int = 8,
    ) -> None:
        self.unet = channels_last(unet.eval())
        self.vae = vae.eval()
        self.text_encoder = text_encoder.eval()
        self.tokenizer = tokenizer
        self._scheduler_config = scheduler.config
        self.config, self.name = config, name
        self.precision: Precision = precision
        self.views_per_batch = views_per_batch
        self.prompts = PromptEncoder(tokenizer, self.text_encoder, config)

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path,
        *,
        allow_download: bool = False,
        config: EditorConfig | None = None,
        name: str | None = None,
        precision: Precision = "auto",
    ) -> InstructPix2PixEditor:
        """Load an editor from a folder, or a published one by its name.

        Args:
            name_or_folder: Folder in diffusers' format (the embedded editor, a copy of the official
                one) or the name of a published model, "timbrooks/instruct-pix2pix".
            allow_download: Fetch a published model that is not on this computer yet.
            config: Settings to use instead of those stored beside the weights.
            name: What records call it; the name or folder as given when None.
            precision: "auto" or "float32".

        Raises:
            UserError: The model is neither here nor allowed to be fetched, or its files are broken.
        """
        from triptych.editors.files import load_editor_parts

        parts = load_editor_parts(
            name_or_folder, allow_download=allow_download, keep_float32=precision == "float32"
        )
        return cls(
            unet=parts.unet,
            vae=parts.vae,
            text_encoder=parts.text_encoder,
            tokenizer=parts.tokenizer,
            scheduler=parts.scheduler,
            config=config or parts.config,
            name=name or str(name_or_folder),
            precision=precision,
        )

    @property
    def device(self) -> torch.device:
        """Where the editor computes."""
        return next(self.unet.parameters()).device

    def to(
        self, device: torch.device | str, dtype: torch.dtype | None = None
    ) -> InstructPix2PixEditor:
        """Move the editor to a device and return it.

        Args:
            device: Where to.
            dtype: Of the UNet; None keeps it. The other parts stay float32.
        """
        for part in (self.unet, self.vae, self.prompts):
            part.to(device)
        if dtype is not None:
            self.unet.to(dtype)
        return self

    def check(self, request: EditRequest) -> None:
        """Raise UserError when the request cannot be carried out; see `ImageEditor`."""
        check_language(request.prompt, self.config)
        self._texts(request)
        self._schedule(self.config.for_request(request))

    def notes_for(self, request: EditRequest) -> list[str]:
        """Return what a person should know before this edit is run; see `ImageEditor`."""
        notes = prompt_notes(request.prompt, self.config)
        highest, asked = self.config.highest_text_guidance, request.text_guidance
        if highest is not None and asked is not None and asked > highest:
            notes.append(
                f"text guidance {asked:g} burns this small editor's colours; "
                f"{self.config.text_guidance:g} is its best, {highest:g} its useful limit"
            )
        return notes

    def edit(
        self, images: Tensor, request: EditRequest, *, progress: CountProgress | None = None
    ) -> Tensor:
        """Edit pictures [v, 3, h, w] in [-1, 1]; see `ImageEditor`."""
        for note in self.notes_for(request):
            warnings.warn(note, EditorWarning, stacklevel=2)
        return torch.cat(list(self.edit_in_batches(images, request, progress=progress)))

    def edit_in_batches(
        self, images: Tensor, request: EditRequest, *, progress: CountProgress | None = None
    ) -> Iterator[Tensor]:
        """Edit pictures and yield them batch by batch, in order, as they are finished.

        All pictures share one noise, so an interrupted edit may continue with the pictures that
        are left and gives the same result. Arguments as in `ImageEditor.edit`.
        """
        _check_images(images)
        self.check(request)
        config = self.config.for_request(request)
        with_text, without_text = self._texts(request)
        scheduler, timesteps = self._schedule(config)
        return self._batches(
            images, with_text, without_text, scheduler, timesteps, config, request.seed, progress
        )

    def _batches(
        self,
        images: Tensor,
        with_text: Tensor,
        without_text: Tensor,
        scheduler: Any,
        timesteps: list[int],
        config: EditorConfig,
        seed: int,
        progress: CountProgress | None,
    ) -> Iterator[Tensor]:
        codec = LatentCodec(self.vae, self.config.image_size)
        done, total = 0, len(images) * len(timesteps)
        for part in images.split(self.views_per_batch):
            with torch.no_grad():
                source = codec.encode(part.to(self.device))
                noise = shared_noise(tuple(source.shape[1:]), seed).to(source)
                latents = start_latents(
                    scheduler,
                    codec.scaled(source),
                    noise,
                    timesteps[0],
                    config.noise_level,
                )
                for timestep in timesteps:
                    prediction = self._predict(
                        latents, source, timestep, with_text, without_text, config
                    )
                    latents = scheduler.step(prediction, timestep, latents).prev_sample
                    done += len(part)
                    if progress is not None:
                        progress(done, total)
                edited = codec.decode(latents)
            yield to_size(edited, part.shape[-1]).to(images)

    def _predict(
        self,
        latents: Tensor,
        source: Tensor,
        timestep: int,
        with_text: Tensor,
        without_text: Tensor,
        config: EditorConfig,
    ) -> Tensor:
        """Return the guided prediction [v,c,h,w] of the UNet at a timestep."""
        branches = counted_branches(config.text_guidance, config.image_guidance)
        noisy = torch.cat([latents] * branches)
        pictures = torch.cat([source, source, torch.zeros_like(source)][:branches])
        text = [with_text, without_text, without_text][:branches]
        texts = torch.cat([states.expand(len(latents), -1, -1) for states in text])
        joined = torch.cat([noisy, pictures], dim=1).contiguous(memory_format=torch.channels_last)
        kept = self.unet.dtype
        with half_precision_where_fast(self.device, self.precision == "auto"):
            prediction = self.unet(
                joined.to(kept), timestep, encoder_hidden_states=texts.to(kept)
            ).sample
        return guided(prediction.float(), config.text_guidance, config.image_guidance)

    def _texts(self, request: EditRequest) -> tuple[Tensor, Tensor]:
        """Return the states of the prompt and of the negative prompt."""
        config = self.config.for_request(request)
        prompt = decorated(request.prompt, config.prompt_template)
        with_text = self.prompts.states(prompt)
        return with_text, self.prompts.states(config.negative_prompt, "negative prompt")

    def _schedule(self, config: EditorConfig) -> tuple[Any, list[int]]:
        """Return a scheduler and the timesteps to run."""
        scheduler = self._ddim()
        steps = config.num_steps, config.noise_level, config.noise_reading
        return scheduler, plan_timesteps(scheduler, *steps)

    def _ddim(self) -> Any:
        """Return a fresh DDIM scheduler with the model's noise levels.

        FF3D needs DDIM: an ancestral scheduler would add noise of its own to each view, and its
        start is scaled by another deviation. Latents are never clipped.
        """
        from diffusers import DDIMScheduler

        return DDIMScheduler.from_config(
            self._scheduler_config,
            timestep_spacing=self.config.timestep_spacing,
            clip_sample=False,
            thresholding=False,
        )


def _check_images(images: Tensor) -> None:
    check_type("images", images, Tensor)
    shape = tuple(images.shape)
    shaped = images.ndim == 4 and shape[1] == 3 and shape[2] == shape[3] and images.numel() > 0
    if not shaped or not images.is_floating_point():
        raise UserError(
            f"images: got {images.dtype} of shape {shape}; expected square pictures "
            "[views, 3, size, size], floats in [-1, 1]"
        )
