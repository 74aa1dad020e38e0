"""Text to a stylised 3D portrait (FF3D, end to end)."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.config import to_dict
from triptych.editors.image_editor import EditRequest, ImageEditor
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.latents import check_latent_seed
from triptych.ops.placement import device_of, move
from triptych.ops.precision import check_network_dtype
from triptych.photos.matting import HeadMatting
from triptych.portrait import TriPlanePortrait
from triptych.portrait.provenance import provenance_of
from triptych.progress import Progress, no_progress
from triptych.systems.stylize.fitting import (
    SECONDS_BETWEEN_CHECKPOINTS,
    Fitted,
    Perceptual,
    fit,
)
from triptych.systems.stylize.image_to_triplane import ImageToTriplane
from triptych.systems.stylize.plane_source import trainable_plane_source
from triptych.systems.stylize.settings import StylizeSettings, preset
from triptych.systems.stylize.views import EditedViews, edit_views, render_originals
from triptych.systems.stylize.work_folder import (
    VIEWS_FOLDER,
    claim,
    timed,
    work_folder,
)
from triptych.weights.safetensors_file import FileHeader, content_hash, load_tensors, save_tensors

_CHECKPOINT, _FINISHED = "fitting.safetensors", "planes.safetensors"
_EDITOR_SETTINGS_LEFT_OUT = ("vocabulary", "known_styles")


@dataclass(frozen=True, eq=False)
class Stylized:
    """What `StylizePipeline` returns.

    Attributes:
        portrait: The stylised head.
        original: The head it was made from.
        views: The edited views it was fitted to.
        report: Settings, seeds, model hashes, timings, held-out curve, dropped views and notes,
            as JSON values.
    """

    portrait: TriPlanePortrait
    original: TriPlanePortrait
    views: EditedViews
    report: dict[str, Any]


class StylizePipeline:
    """Edits many views of one head with the same prompt and fits planes to them.

    Args:
        generator: The prior that makes heads from seeds; frozen.
        image_to_triplane: Pre-trained on that prior's heads; copied for every style. Where there
            is none, the generator's own codes and planes are tuned instead, as in the paper's
            ablation without it.
        editor: Carries out the prompt on images.
        perceptual: Distance [b] of two batches of images; None leaves the term out.
        matting: Separates heads from what the editor draws behind them, for priors that know heads
            on a plain background; None takes the images as they are.
        name: Goes into records.
        hashes: Hash of each model's file by name, for records.
        seconds_between_checkpoints: How much fitting an interruption may cost.
    """

    @checked
    def __init__(
        self,
        generator: TriPlaneGenerator,
        image_to_triplane: ImageToTriplane | None,
        editor: ImageEditor,
        perceptual: Perceptual | None = None,
        *,
        matting: HeadMatting | None = None,
        name: str = "unnamed",
        hashes: Mapping[str, str] | None = None,
        seconds_between_checkpoints: float = SECONDS_BETWEEN_CHECKPOINTS,
    ) -> None:
        self.generator = generator.eval().requires_grad_(False)
        self.image_to_triplane = (
            None if image_to_triplane is None else image_to_triplane.eval().requires_grad_(False)
        )
        self.editor = editor
        self.perceptual, self.matting = perceptual, matting
        self.name = name
        self.hashes = dict(hashes or {})
        self.seconds_between_checkpoints = seconds_between_checkpoints

    @classmethod
    @checked
    def from_pretrained(
        cls,
        model: str | Path = "avatar",
        editor: ImageEditor | None = None,
        *,
        device: torch.device | str = "cpu",
    ) -> StylizePipeline:
        """Assemble the pipeline from the embedded models or from a folder of your own.

        Args:
            model: "avatar"; a folder with `generator.safetensors`, `i2t.safetensors`,
                `features.safetensors` and `editor/`; or a generator alone, by its name in
                `triptych models` or its file.
            editor: Used instead of the model's own.
            device: Where everything computes.

        Raises:
            UserError: A model is missing or broken.
        """
        from triptych.systems.stylize.models import stylize_models

        models = stylize_models(model, with_editor=editor is None)
        used = editor or models.editor
        assert used is not None
        pipeline = cls(
            models.generator,
            models.image_to_triplane,
            used,
            models.perceptual,
            matting=models.matting,
            name=str(model),
            hashes=models.hashes,
        )
        return pipeline.to(device)

    @checked
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> StylizePipeline:
        """Let the pipeline compute on a device, and return self; its portraits are there too.

        Args:
            device: Where to.
            dtype: Of the editor's UNet, float32, bfloat16 or float16; None keeps it. What is
                fitted, rendered or compared is float32 (see `StylizeSettings.mixed_precision`).

        Raises:
            UserError: The dtype is another one.
        """
        if dtype is not None:
            check_network_dtype(dtype)
        for part in (self.generator, self.image_to_triplane, self.perceptual, self.matting):
            move(part, device)
        move(self.editor, device, dtype)
        return self

    @checked
    def __call__(
        self,
        prompt: str | EditRequest,
        *,
        identity: int | TriPlanePortrait = 0,
        quality: str = "standard",
        seed: int = 0,
        work_dir: str | Path | None = None,
        progress: Progress | None = None,
        settings: StylizeSettings | None = None,
    ) -> Stylized:
        """Turn a head into what the prompt says.

        Args:
            prompt: What the head becomes ("a bronze statue") or an instruction ("make him old"); or
                a whole request, with guidance and steps of the editor and a seed of its own.
            identity: Seed of the head, as `GeneratePipeline` takes it, or a portrait of the same
                prior.
            quality: "draft", "standard" or "high"; unused when settings are given.
            seed: Seed of the edit's one noise and of the fitting's draws; unused when the prompt is
                an `EditRequest`.
            work_dir: Keeps the edited views and the state of the run: called again with the same
                request, an interrupted run goes on. A temporary folder when None.
            progress: Called with (stage, done, total).
            settings: Everything else.

        Raises:
            UserError: The prompt, the head or the settings cannot be used, or the folder belongs to
                another request.
        """
        edit = prompt if isinstance(prompt, EditRequest) else EditRequest(prompt, seed)
        settings = preset(quality) if settings is None else settings
        progress = progress or no_progress
        self.editor.check(edit)
        started, seconds = time.monotonic(), dict[str, float]()
        original = self.subject(identity)
        self._check_planes(original)
        settings = self._possible(settings, original)
        request = self._request(edit, identity, settings)
        with work_folder(work_dir) as folder:
            resume = claim(folder, request)
            with timed(seconds, "rendering"):
                originals = render_originals(original, settings, resume, progress)
            with timed(seconds, "editing"):
                views = edit_views(
                    originals,
                    self.editor,
                    edit,
                    settings,
                    folder / VIEWS_FOLDER,
                    request,
                    progress,
                    self.matting,
                )
            with timed(seconds, "fitting"):
                finer = original.config.render_size // self.generator.config.render_size
                sized = settings.for_finer_rays(max(1, finer))
                fitted, report = self._fit(original, views, sized, edit.seed, resume, progress)
        seconds["total"] = round(time.monotonic() - started, 2)
        report = {
            **request,
            "notes": self.editor.notes_for(edit),
            "dropped_views": views.dropped,
            "view_scores": [round(float(score), 3) for score in views.scores],
            **report,
            "seconds": seconds,
        }
        provenance = provenance_of("stylize", **request)
        portrait = dataclasses.replace(original, planes=fitted, provenance=provenance)
        return Stylized(portrait, original, views, report)

    def _request(
        self, edit: EditRequest, identity: int | TriPlanePortrait, settings: StylizeSettings
    ) -> dict[str, Any]:
        """Return everything that decides the result, as JSON values: the one record of a run."""
        if isinstance(identity, TriPlanePortrait):
            planes = content_hash({"planes": identity.planes.cpu()})
            head = {**identity.provenance, "planes": planes}
        else:
            head = {"seed": int(identity)}
        config = to_dict(self.editor.config)
        request = {
            **edit.record(),
            "identity": head,
            "model": self.name,
            "model_hashes": self.hashes,
            "editor": self.editor.name,
            "editor_settings": {
                name: value
                for name, value in config.items()
                if name not in _EDITOR_SETTINGS_LEFT_OUT
            },
            "settings": to_dict(settings),
        }
        return json.loads(json.dumps(request))

    def _fit(
        self,
        original: TriPlanePortrait,
        views: EditedViews,
        settings: StylizeSettings,
        seed: int,
        resume: Path,
        progress: Progress,
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the fitted planes and the report of the fitting."""
        finished, checkpoint = resume / _FINISHED, resume / _CHECKPOINT
        if finished.exists():
            tensors, header = load_tensors(finished, "FittedPlanes")
            return tensors["planes"], header.config
        source = trainable_plane_source(
            settings.use_i2t,
            self.image_to_triplane,
            self.generator,
            original.ws,
            seed,
            original.planes,
        )
        result = fit(
            source,
            original,
            views,
            settings,
            perceptual=self.perceptual,
            seed=seed,
            checkpoint=checkpoint,
            progress=progress,
            seconds_between_checkpoints=self.seconds_between_checkpoints,
        )
        report = _fitting_report(result)
        save_tensors(finished, {"planes": result.planes}, FileHeader("FittedPlanes", report))
        checkpoint.unlink(missing_ok=True)
        return result.planes, report

    @checked
    @torch.no_grad()
    def subject(self, identity: int | TriPlanePortrait) -> TriPlanePortrait:
        """Return the unedited portrait of a seed, or the given one on the pipeline's device.

        Raises:
            UserError: The seed is out of range.
        """
        if isinstance(identity, TriPlanePortrait):
            return identity.to(device_of(self.generator))
        check_latent_seed("identity", identity, self.generator.config.latent_kind)
        provenance = provenance_of("generate", self.name, self.hashes, seed=int(identity))
        ws = self.generator.mapping(self.generator.latent(identity))
        return TriPlanePortrait.from_generator(self.generator, ws, provenance=provenance)

    def _possible(self, settings: StylizeSettings, head: TriPlanePortrait) -> StylizeSettings:
        """Return the settings with a source of planes that there is for a head."""
        network, side = self.image_to_triplane, head.planes.shape[-1]
        if network is None:
            return dataclasses.replace(settings, use_i2t="none")
        if settings.use_i2t == "full" and side > network.config.plane_size:
            return settings.with_levels()
        return settings

    def _check_planes(self, portrait: TriPlanePortrait) -> None:
        network, planes = self.image_to_triplane, portrait.planes
        if network is None:
            backbone = self.generator.config.backbone
            channels, side = backbone.plane_channels, backbone.plane_size
            expected = f"the generator of '{self.name}' makes [1, 3, {channels}, {side}, {side}]"
        else:  # what is added to planes of other sizes is resized
            channels, side = network.config.plane_channels, planes.shape[-1]
            expected = (
                f"the Image-to-Triplane network of '{self.name}' makes square planes of "
                f"{channels} channels"
            )
        if tuple(planes.shape) != (1, 3, channels, side, side):
            raise UserError(
                f"the head has planes {list(planes.shape)}; {expected}; use a head of the same "
                "prior"
            )


def _fitting_report(result: Fitted) -> dict[str, Any]:
    return {
        "steps": result.steps,
        "stopped_early": result.stopped_early,
        "held_out": [dataclasses.asdict(metrics) for metrics in result.curve],
    }
