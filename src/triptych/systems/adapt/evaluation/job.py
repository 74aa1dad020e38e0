"""One evaluation of styles: learn each by every method, measure styled heads, report.

OUT/heads/STYLE-METHOD-KEY.safetensors   what was measured; a stopped evaluation goes on there
OUT/adapt.json, .md, .png, -plot.png     the report, its sheet and its plot
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

import triptych
from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads
from triptych.avatars.styles.catalogue import style_named
from triptych.camera import look_at_camera, random_views
from triptych.config import check_fields, to_dict
from triptych.errors import MissingDependency, UserError
from triptych.metrics.metric_networks import FEATURES, StyleNetworks, load_style_networks
from triptych.metrics.style_classifier import style_index
from triptych.photos.example_styles import DEFAULT_STYLER, ExampleStyles
from triptych.progress import Step, no_progress
from triptych.runs import console
from triptych.runs.evaluation import Findings, MeasuredHead, MeasuredHeads, evaluate_heads
from triptych.runs.point_plot import Panel, save_point_plot
from triptych.runs.report_file import CPU, Cell, Report, Table, mean
from triptych.systems.adapt.evaluation.figures import FIGURES, StyleFigures
from triptych.systems.adapt.evaluation.methods import Methods, Rival, Styled
from triptych.systems.adapt.few_shot import FewShotSettings
from triptych.systems.adapt.pipeline import AdaptPipeline
from triptych.weights import load_features
from triptych.weights.registry import MODELS

MINUTES, MEGABYTES = "minutes", "megabytes"
_YAWS = (-0.4, -0.2, 0.0, 0.2, 0.4)
_SHOWN_YAWS = (-0.5, 0.0, 0.5)
_EXAMPLE_SEEDS, _UNSEEN_SEEDS = 3000, 4000
_NOTES = (
    "Examples and unseen pictures are avatars truly in the style, of different people; heads are "
    "of seeds that nothing was trained on. Means over styles.",
    "Style distance: of means and deviations of channels (AdaIN) to unseen pictures. Named: by a "
    "classifier that no method sees. Identity kept: nearer to the own unstyled head than to "
    "another one. Content distance: perceptual, to the unstyled head.",
    "Depth change: against the unstyled head, in % of the cube's side. View inconsistency: "
    "re-projection error between views 0.2 rad apart, in % of the colour range.",
    "Minutes: wall time for the style itself; megabytes: what it takes on disk in half precision "
    "for weights.",
)


@dataclass(frozen=True)
class AdaptEvaluation:
    """What is learned and measured.

    Attributes:
        styles: Names of styles.
        heads: Heads that wear each, two or more.
        first_seed: Seed of the first.
        counts: Examples of the few-shot rows; the largest for the other methods.
        unseen: True pictures that heads are compared with, two or more.
        shown: Heads on the sheet.
        size: Side of the compared pictures.
        settings: Of the few-shot recipe.

    Raises:
        UserError: A number is out of range, or there is no style.
    """

    styles: tuple[str, ...]
    heads: int = 8
    first_seed: int = 0
    counts: tuple[int, ...] = (1, 5, 10)
    unseen: int = 16
    shown: int = 2
    size: int = 128
    settings: FewShotSettings = field(default_factory=FewShotSettings)

    def __post_init__(self) -> None:
        check_fields(
            self,
            heads=(2, 1000),
            first_seed=(0, 2_999),
            counts=(1, 50),
            unseen=(2, 1000),
            shown=(0, 100),
            size=(32, 512),
        )
        if not self.styles or not self.counts:
            raise UserError("styles and examples: expected at least one of each")
        for style in self.styles:
            style_named(style)


def evaluate_adapt(
    model: str,
    evaluation: AdaptEvaluation,
    out: Path,
    *,
    styler: str = DEFAULT_STYLER,
    load_rival: Callable[[], Rival] | None = None,
    pack: Path | None = None,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Write adapt.json, adapt.md, the sheet adapt.png and, with matplotlib, adapt-plot.png.

    Args:
        model: Generator of avatars: "avatar", a name or a file.
        evaluation: What is learned and measured.
        out: Folder of the report; styles that are measured stay in OUT/heads.
        styler: The example styler; without the embedded one its row is left out.
        load_rival: Loads another method to compare with.
        pack: Head asset pack; the embedded one when None.
        device: Where networks compute.
        overwrite: Replace an earlier report.

    Raises:
        UserError: A model is missing, or the folder holds such a report.
    """
    kept: list[Findings] = []

    def measure(step: Step) -> Findings:
        networks = load_style_networks(device)
        for style in evaluation.styles:
            style_index(networks.classifier, style)
        pipeline = AdaptPipeline.from_pretrained(model, detector="avatar", device=device)
        instant = None
        if styler != DEFAULT_STYLER or MODELS[DEFAULT_STYLER].present():
            instant = ExampleStyles.from_pretrained(model, styler, detector="avatar", device=device)
        rival = None if load_rival is None else load_rival()
        found = measure_adapt(
            Methods(pipeline, evaluation.settings, evaluation.counts, instant, rival),
            networks,
            AvatarHeads(pack, device=device),
            evaluation,
            folder=out / "heads",
            step=step,
        )
        kept.append(found)
        return found

    number = len(evaluation.styles)
    evaluate_heads("adapt", number, measure, out, device=device, overwrite=overwrite)
    save_plot(out / "adapt-plot.png", kept[0].report.tables["All styles"])


@torch.no_grad()
def measure_adapt(
    methods: Methods,
    networks: StyleNetworks,
    heads: TrueHeads,
    evaluation: AdaptEvaluation,
    *,
    folder: Path | None = None,
    step: Step = no_progress,
) -> Findings:
    """Learn every style by every method and measure styled heads.

    Args:
        methods: Make styled heads.
        networks: Measure them.
        heads: The truth of avatars in styles.
        evaluation: What is learned.
        folder: Keeps what was measured; nothing is kept when None.
        step: Called after each style.
    """
    features = load_features(FEATURES).to(next(methods.pipeline.generator.parameters()).device)
    figures = StyleFigures(networks, features)
    plan = {
        "triptych": triptych.__version__,
        "methods": methods.plan(),
        "networks": networks.hashes,
        "evaluation": {
            name: value
            for name, value in to_dict(evaluation).items()
            if name not in ("styles", "counts", "settings")
        },
    }
    kept = MeasuredHeads(folder, plan)
    found: dict[str, dict[str, MeasuredHead]] = {}
    for style in evaluation.styles:
        examples = _Examples(heads, style, evaluation)
        found[style] = {}
        for method in methods.names:

            def measured(
                method: str = method, style: str = style, examples: _Examples = examples
            ) -> MeasuredHead:
                return _measured(methods, method, style, examples, figures, evaluation)

            name = f"{style}-{method}".replace(" ", "_")
            found[style][method] = kept(name, measured)
        step()
    return _findings(found, methods, networks, evaluation)


class _Examples:
    """True pictures in a style, rendered when asked for."""

    def __init__(self, heads: TrueHeads, style: str, evaluation: AdaptEvaluation) -> None:
        self._heads, self._style, self._evaluation = heads, style, evaluation
        self._made: dict[str, Tensor] = {}

    def examples(self) -> Tensor:
        """Return pictures [n, 3, s, s] that a style is learned from."""
        return self._pictures("examples", _EXAMPLE_SEEDS, max(self._evaluation.counts))

    def unseen(self) -> Tensor:
        """Return pictures [n, 3, s, s] of other people."""
        return self._pictures("unseen", _UNSEEN_SEEDS, self._evaluation.unseen)

    def _pictures(self, name: str, first_seed: int, num: int) -> Tensor:
        if name not in self._made:
            rng = torch.Generator().manual_seed(first_seed)
            cameras = random_views(num, (-0.4, 0.4), (-0.2, 0.2), rng)
            size = self._evaluation.size
            self._made[name] = torch.cat(
                [
                    self._heads.views(first_seed + index, self._style, cameras[index], size).image
                    for index in range(num)
                ]
            )
        return self._made[name]


def _measured(
    methods: Methods,
    method: str,
    style: str,
    examples: _Examples,
    figures: StyleFigures,
    evaluation: AdaptEvaluation,
) -> MeasuredHead:
    """Learn one style by one method and measure its heads."""
    made = methods(method, style, examples.examples())
    plain = methods("unstyled", style, examples.examples())
    seeds = range(evaluation.first_seed, evaluation.first_seed + evaluation.heads)
    styled = [made.head(seed) for seed in seeds]
    camera = look_at_camera(torch.tensor(_YAWS), torch.zeros(len(_YAWS)))
    device = styled[0].planes.device
    row = figures(
        style, styled, [plain.head(seed) for seed in seeds], examples.unseen(), camera.to(device)
    )
    row |= _cost(made)
    shown = look_at_camera(torch.tensor(_SHOWN_YAWS), torch.zeros(len(_SHOWN_YAWS))).to(device)
    pictures = [
        portrait.render(shown, evaluation.size).image for portrait in styled[: evaluation.shown]
    ]
    if not pictures:
        return MeasuredHead({method: row})
    front = examples.examples()[:1].to(device)
    return MeasuredHead({method: row}, torch.cat([front, *pictures]).clamp(-1, 1).cpu())


def _cost(made: Styled) -> dict[str, float]:
    cost = {MEGABYTES: made.megabytes}
    return cost if made.seconds is None else {MINUTES: made.seconds / 60, **cost}


def _findings(
    found: Mapping[str, Mapping[str, MeasuredHead]],
    methods: Methods,
    networks: StyleNetworks,
    evaluation: AdaptEvaluation,
) -> Findings:
    tables = {"All styles": _table(list(found.values()), methods.names)}
    for style, measured in found.items() if len(found) > 1 else ():
        tables[style] = _table([measured], methods.names)
    summary: dict[str, Cell] = {"styles": len(found), "heads": evaluation.heads}
    largest = next(name for name in reversed(methods.names) if name.startswith("few-shot"))
    for name in FIGURES[:3]:
        rows = [measured[largest].rows[largest] for measured in found.values()]
        summary[f"{name}: {largest}"] = mean([row[name] for row in rows if name in row])
    report = Report(
        name="adapt",
        title="Styles from examples",
        summary=summary,
        tables=tables,
        settings=to_dict(evaluation),
        models={**methods.pipeline.hashes, **networks.hashes},
        notes=_NOTES,
    )
    pictured: list[list[Tensor]] = []
    labels = []
    for style, measured in found.items():
        for index in range(evaluation.shown):
            row: list[Tensor] = []
            for one in measured.values():
                views = one.pictures[1 + 3 * index : 4 + 3 * index]
                row += [*([] if row else [one.pictures[0]]), views[1], views[2]]
            pictured.append(row)
            labels.append(f"{style}, seed {evaluation.first_seed + index}")
    columns = ["example", *(text for name in methods.names for text in (name, "side"))]
    return Findings(report, pictured, labels, columns)


def _table(styles: list[Mapping[str, MeasuredHead]], names: tuple[str, ...]) -> Table:
    """Return the mean figures of each method over styles, a method a row."""
    columns = (*FIGURES, MINUTES, MEGABYTES)
    rows = []
    for method in names:
        measured = [style[method].rows[method] for style in styles]
        cells = (mean([row[name] for row in measured if name in row]) for name in columns)
        rows.append((method, *cells))
    return Table(("method", *columns), tuple(rows))


def save_plot(path: Path, table: Table) -> None:
    """Draw identity and depth change over the style distance; a warning without matplotlib."""
    across = table.columns.index("style distance")
    panels = []
    for name in ("identity kept, %", "depth change, %"):
        up = table.columns.index(name)
        points = {str(row[0]): (_number(row[across]), _number(row[up])) for row in table.rows}
        panels.append(Panel(name, "style distance", points))
    try:
        save_point_plot(path, panels)
    except MissingDependency as error:
        console.warn(str(error))


def _number(cell: Cell) -> float:
    return float("nan") if cell is None else float(cell)
