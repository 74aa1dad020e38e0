"""How well an image editor turns a head into a style: against the avatar truly in that style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.evaluation.avatar_heads import TrueHeads, unseen_cameras
from triptych.evaluation.metrics import identity_kept, perceptual, psnr, style_recognised
from triptych.evaluation.report_file import Cell, Report, Table, mean
from triptych.priors.identity import IdentityFeatures
from triptych.priors.image_editor import ImageEditor
from triptych.priors.perceptual import PerceptualDistance
from triptych.priors.style_classifier import StyleClassifier

PhraseOf = Callable[[str, np.random.Generator], str]
Step = Callable[..., None]
_MEASURES = (
    "psnr",
    "perceptual",
    "recognised",
    "identity kept",
    "source psnr",
    "truth recognised",
    "truth kept",
)


@dataclass(frozen=True)
class EditorSettings:
    """Which heads and styles are edited.

    Attributes:
        heads: Number of heads.
        first_seed: Seed of the first head; seeds below 10,000 are never trained on.
        styles_per_head: How many of the styles each head is asked for, in turn; all when None.
        heads_per_group: Heads edited together, with one phrase per style.
        num_steps: Steps of the editor's schedule; the editor's own when None.
        text_guidance: Strength of the prompt; the editor's own when None.
        noise_seed: Seed of the noise.
        yaw_range: Largest yaw in radians.
        pitch_range: Largest pitch in radians.
        pictured: Groups of which the first head is shown on the sheet.
    """

    heads: int = 300
    first_seed: int = 0
    styles_per_head: int | None = None
    heads_per_group: int = 12
    num_steps: int | None = None
    text_guidance: float | None = None
    noise_seed: int = 0
    yaw_range: float = 0.5
    pitch_range: float = 0.3
    pictured: int = 4

    def __post_init__(self) -> None:
        if self.heads < 2 or self.heads_per_group < 2:
            raise UserError(
                f"heads and heads per group: got {self.heads} and {self.heads_per_group}; expected "
                "2 or more, because identity is compared with another head's"
            )


@dataclass
class EditorFindings:
    """The report and what its sheet shows.

    Attributes:
        report: Figures.
        pictures: Rows of (style, source, edited, true) with pictures [3, h, h].
    """

    report: Report
    pictures: list[tuple[str, Tensor, Tensor, Tensor]] = field(default_factory=list)


@torch.no_grad()
def measure_editor(
    editor: ImageEditor,
    heads: TrueHeads,
    classifier: StyleClassifier,
    identity: IdentityFeatures,
    distance: PerceptualDistance,
    kinds: dict[str, str],
    phrase_of: PhraseOf,
    settings: EditorSettings,
    *,
    models: dict[str, str] | None = None,
    step: Step = lambda *_: None,
) -> EditorFindings:
    """Edit unseen heads into every style and compare with the truth.

    Args:
        editor: The editor.
        heads: The truth.
        classifier: Names styles; trained on avatar renders only.
        identity: Identity feature.
        distance: Perceptual distance.
        kinds: Kind of each style asked for ("material", "creature", "people", "picture").
        phrase_of: Draws a phrase that asks for a style.
        settings: How much.
        models: Hashes for the report.
        step: Called after each group and style.
    """
    rng = np.random.default_rng(settings.noise_seed)
    size = editor.config.image_size
    found: dict[str, dict[str, list[float]]] = {
        style: {measure: [] for measure in _MEASURES} for style in kinds
    }
    pictures: list[tuple[str, Tensor, Tensor, Tensor]] = []
    for number, seeds in enumerate(_groups(settings)):
        cameras = [_camera(seed, settings) for seed in seeds]
        source = _true_pictures(heads, seeds, None, cameras, size)
        for style in styles_of_group(tuple(kinds), settings.styles_per_head, number):
            edited = editor.edit(
                source,
                phrase_of(style, rng),
                num_steps=settings.num_steps,
                text_guidance=settings.text_guidance,
                seed=settings.noise_seed,
            )
            true = _true_pictures(heads, seeds, style, cameras, size)
            values = {
                "psnr": psnr(edited, true),
                "perceptual": perceptual(distance, edited, true),
                "recognised": style_recognised(classifier, edited, style),
                "identity kept": identity_kept(identity, edited, source, source.roll(1, 0)),
                "source psnr": psnr(source, true),
                "truth recognised": style_recognised(classifier, true, style),
                "truth kept": identity_kept(identity, true, source, source.roll(1, 0)),
            }
            for measure, value in values.items():
                found[style][measure].extend(value.float().tolist())
            if number < settings.pictured:
                pictures.append((style, source[0], edited[0], true[0]))
            step()
    return EditorFindings(_report(found, kinds, settings, models or {}), pictures)


def styles_of_group(
    styles: Sequence[str], styles_per_head: int | None, group: int
) -> tuple[str, ...]:
    """Return the styles that a group of heads is asked for; consecutive groups take turns."""
    if styles_per_head is None or styles_per_head >= len(styles):
        return tuple(styles)
    start = group * styles_per_head
    return tuple(styles[(start + offset) % len(styles)] for offset in range(styles_per_head))


def num_edits(settings: EditorSettings, num_styles: int) -> int:
    """Return how often `measure_editor` calls its step."""
    per_group = min(settings.styles_per_head or num_styles, num_styles)
    return len(_groups(settings)) * per_group


def _groups(settings: EditorSettings) -> list[list[int]]:
    """Split the seeds into groups of at least two heads."""
    seeds = list(range(settings.first_seed, settings.first_seed + settings.heads))
    width = settings.heads_per_group
    groups = [seeds[start : start + width] for start in range(0, len(seeds), width)]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def _camera(seed: int, settings: EditorSettings) -> Camera:
    return unseen_cameras(seed, 2, settings.yaw_range, settings.pitch_range)[1]


def _true_pictures(
    heads: TrueHeads, seeds: list[int], style: str | None, cameras: list[Camera], size: int
) -> Tensor:
    pairs = zip(seeds, cameras, strict=True)
    return torch.cat([heads.views(seed, style, camera, size).image for seed, camera in pairs])


def _report(
    found: dict[str, dict[str, list[float]]],
    kinds: dict[str, str],
    settings: EditorSettings,
    models: dict[str, str],
) -> Report:
    asked = {style: figures for style, figures in found.items() if figures["psnr"]}

    def over(styles: Sequence[str], measure: str) -> float | None:
        return mean([value for style in styles for value in asked[style][measure]])

    rows: list[tuple[Cell, ...]] = [
        (style, kinds[style], *(over([style], measure) for measure in _MEASURES)) for style in asked
    ]
    by_kind: list[tuple[Cell, ...]] = []
    for kind in dict.fromkeys(kinds[style] for style in asked):
        members = [style for style in asked if kinds[style] == kind]
        by_kind.append((kind, len(members), *(over(members, measure) for measure in _MEASURES)))
    materials = [style for style in asked if kinds[style] == "material"]
    return Report(
        name="editor",
        title="The image editor on unseen heads",
        summary={
            "psnr over material styles": over(materials, "psnr"),
            "psnr over all styles": over(list(asked), "psnr"),
            "style recognised": over(list(asked), "recognised"),
            "style recognised in the true renders": over(list(asked), "truth recognised"),
            "identity nearer to the source": over(list(asked), "identity kept"),
            "identity nearer in the true renders": over(list(asked), "truth kept"),
            "perceptual": over(list(asked), "perceptual"),
            "heads": settings.heads,
            "styles": len(asked),
            "edits": sum(len(figures["psnr"]) for figures in asked.values()),
        },
        tables={
            "By kind": Table(("kind", "styles", *_MEASURES), tuple(by_kind)),
            "By style": Table(("style", "kind", *_MEASURES), tuple(rows)),
        },
        settings=asdict(settings),
        models=models,
        notes=(
            "PSNR in dB against the avatar truly in the style, same camera. Source psnr: what "
            "leaving the picture unedited would give.",
            "Recognised: share of pictures in which the classifier's first answer is the asked "
            "style. Truth recognised: the same for the true renders, its ceiling.",
            "Identity kept: share of edits nearer to their source than to another source. Truth "
            "kept: the same for the true renders, its ceiling.",
        ),
    )
