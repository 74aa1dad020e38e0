"""One evaluation of edits: heads never trained on, in many styles, by every method.

OUT/heads/NAME-KEY.safetensors   what was measured of a head; a stopped evaluation goes on there
OUT/edits/STYLE-MARK.safetensors edits that were learned for styles held out of training
OUT/edit.json, .md, .png         the report and its sheet
OUT/edit-plot.png                style named over PSNR of every method, with matplotlib
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

import triptych
from triptych.avatars.sets.true_heads import AvatarHeads, TrueHeads
from triptych.config import to_dict
from triptych.editors.image_editor import ImageEditor
from triptych.editors.loading import editor_hash, load_editor
from triptych.metrics.metric_networks import StyleNetworks, load_style_networks
from triptych.progress import Step, no_progress
from triptych.runs.evaluation import Findings, MeasuredHead, MeasuredHeads, evaluate_heads
from triptych.runs.report_file import CPU
from triptych.systems.edit.evaluation.measuring import HeadMeasurer
from triptych.systems.edit.evaluation.methods import Rival
from triptych.systems.edit.evaluation.plot import save_edit_plot
from triptych.systems.edit.evaluation.report import BY_METHOD, findings_of
from triptych.systems.edit.evaluation.settings import EditEvaluation, known_styles, styles_of
from triptych.systems.edit.pipeline import EditPipeline


def evaluate_edit(
    model: str,
    evaluation: EditEvaluation,
    out: Path,
    *,
    editor: str | None = "avatar-editor",
    load_rival: Callable[[], Rival] | None = None,
    pack: Path | None = None,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Edit unseen avatars, measure, and write edit.json, edit.md and the sheet edit.png.

    Args:
        model: "avatar", a name from the registry, or a file.
        evaluation: What is measured.
        out: Folder of the report.
        editor: Image editor to compare with; None leaves it out.
        load_rival: Loads other methods to compare with.
        pack: Head asset pack; the embedded one when None.
        device: Where networks compute.
        overwrite: Replace an earlier report; measured heads and learned edits are kept.

    Raises:
        UserError: A model is missing, a style is unknown, or the folder holds such a report.
    """

    def measure(step: Step) -> Findings:
        pipeline = EditPipeline.from_pretrained(model, detector="avatar", device=device)
        networks = load_style_networks(device)
        hashes = {**networks.hashes, **pipeline.hashes}
        if editor is not None:
            hashes[editor] = editor_hash(editor)
        findings = measure_edit(
            pipeline,
            AvatarHeads(pack, cached_heads=3, device=device),
            networks,
            evaluation,
            editor=None if editor is None else load_editor(editor).to(device),
            rival=None if load_rival is None else load_rival(),
            hashes=hashes,
            folder=out,
            step=step,
        )
        save_edit_plot(findings.report.tables[BY_METHOD], out / "edit-plot.png")
        return findings

    evaluate_heads("edit", evaluation.heads, measure, out, device=device, overwrite=overwrite)


@torch.no_grad()
def measure_edit(
    pipeline: EditPipeline,
    heads: TrueHeads,
    networks: StyleNetworks,
    evaluation: EditEvaluation,
    *,
    editor: ImageEditor | None = None,
    rival: Rival | None = None,
    hashes: Mapping[str, str] | None = None,
    folder: Path | None = None,
    step: Step = no_progress,
) -> Findings:
    """Edit heads and measure what every method makes of them.

    Args:
        pipeline: Edits.
        heads: The truth.
        networks: Classifier, identity and perceptual distance.
        evaluation: What is measured.
        editor: Edits pictures; None leaves out what needs it.
        rival: Other methods.
        hashes: Of all networks, for the report.
        folder: Keeps what was measured and learned; None keeps nothing.
        step: Called after each head.

    Raises:
        UserError: A style is unknown.
    """
    styles = known_styles(evaluation, networks.classifier)
    plan = {
        "triptych": triptych.__version__,
        "model": pipeline.name,
        "hashes": dict(hashes or {}),
        "rival": None if rival is None else dict(rival.plan()),
        "adaptation": to_dict(evaluation.adaptation),
        "marks": list(evaluation.marks),
        "pairs": evaluation.pairs,
        "held_out": list(evaluation.held_out),
        "editor": editor is not None,
    }
    kept = MeasuredHeads(folder and folder / "heads", plan)
    measured = HeadMeasurer(pipeline, heads, networks, evaluation, editor, rival, folder)
    found: list[tuple[str, MeasuredHead]] = []
    for number in range(evaluation.heads):
        asked = styles_of(styles, evaluation, number)
        pictured = number < evaluation.pictured
        seed = evaluation.first_seed + number

        def head(
            seed: int = seed, asked: Sequence[str] = asked, pictured: bool = pictured
        ) -> MeasuredHead:
            return measured.head(seed, asked, pictured)

        name = f"seed{seed}-{'-'.join(asked)}"[:80] + ("-shown" if pictured else "")
        found.append((f"seed {seed}", kept(name, head)))
        step()
    return findings_of(found, evaluation, dict(hashes or {}))
