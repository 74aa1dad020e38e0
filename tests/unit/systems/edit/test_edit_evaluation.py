"""The evaluation of edits: figures by hand, its rows, going on; pairs in the published layout."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from toy_edit import tiny_editing_network

from triptych.avatars.sets.true_heads import TrueViews
from triptych.errors import UserError
from triptych.metrics.metric_networks import StyleNetworks
from triptych.systems.edit.adaptation.learning import AdaptationSettings
from triptych.systems.edit.data.edit_pairs import EditPairs
from triptych.systems.edit.data.writing import AvatarOriginals, style_folders, write_edit_pairs
from triptych.systems.edit.evaluation.figures import Truth, figures_of
from triptych.systems.edit.evaluation.job import measure_edit
from triptych.systems.edit.evaluation.methods import REFERENCE, TWO_STEPS, UNEDITED, Answer
from triptych.systems.edit.evaluation.settings import EditEvaluation
from triptych.systems.edit.pipeline import EditPipeline

GREYS = {None: 0.0, "jade": 0.5, "orc": -0.5}
STYLES = ("jade", "orc")


class GreyHeads:
    """Heads of one grey per style; counts what was rendered."""

    def __init__(self) -> None:
        self.rendered = 0

    def views(self, seed, style, camera, size):
        self.rendered += 1
        image = torch.full((len(camera), 3, size, size), GREYS[style] + seed / 1e5)
        return TrueViews(image, image[:, :1], image[:, 0].long())


class ByGrey:
    """Names a picture's style by its grey; identity is its grey too."""

    names = STYLES

    def probabilities(self, image):
        grey = image.mean(dim=(1, 2, 3))
        return torch.stack([grey > 0.25, grey < -0.25], dim=1).float()

    def embed(self, image):
        angle = image.mean(dim=(1, 2, 3))
        return torch.stack([angle.cos(), angle.sin()], dim=1)

    def __call__(self, first, second):
        return (first - second).abs().mean(dim=(1, 2, 3))


class Lighter:
    """An editor that makes everything jade."""

    name = "lighter"

    class config:
        image_size = 32

    def edit(self, images, request, *, progress=None):
        return torch.full_like(images, GREYS["jade"])


NETWORKS = StyleNetworks(ByGrey(), ByGrey(), ByGrey())
QUICK = EditEvaluation(
    heads=2,
    styles=("jade",),
    held_out=("orc",),
    pairs=2,
    marks=(0.0, 1.0),
    pictured=1,
    adaptation=AdaptationSettings(steps=1, size=16, check_every=1, perceptual=0),
)


def test_figures_by_hand():
    grey = torch.full((1, 3, 32, 32), 0.3)
    embed = NETWORKS.identity.embed
    truth = Truth(None, grey + 0.2, grey.expand(2, -1, -1, -1), embed(grey), embed(grey * 0 - 1))
    figures, shown = figures_of(Answer(picture=grey, seconds=0.25), "jade", truth, NETWORKS)
    assert shown.shape == (1, 3, 32, 32)
    assert figures == {
        "ms edit": 250.0,
        "named": 1.0,
        "identity kept": 1.0,
        "psnr": pytest.approx(20.0, abs=1e-3),  # 0.2 on a range of 2
        "perceptual": pytest.approx(0.2),
    }


def test_all_methods_are_measured_and_nothing_twice(tmp_path):
    pipeline = EditPipeline(tiny_editing_network(), name="toy")
    heads = GreyHeads()
    found = measure_edit(pipeline, heads, NETWORKS, QUICK, editor=Lighter(), folder=tmp_path)
    table = {
        row[0]: dict(zip(found.report.tables["By method"].columns[1:], row[1:], strict=True))
        for row in found.report.tables["By method"].rows
    }
    assert table.keys() == {UNEDITED, "image editor (2-D)", TWO_STEPS, REFERENCE}
    assert table["image editor (2-D)"]["named"] == 1
    assert table["image editor (2-D)"]["named at 30"] is None
    assert table[REFERENCE]["psnr at 30"] is not None
    held_out = {row[0] for row in found.report.tables["Held out of training"].rows}
    assert {"adapted, 0 s", "adapted, 1 s"} <= held_out
    assert len(found.rows) == 1
    assert len(found.rows[0]) == len(found.columns)
    assert len(list((tmp_path / "edits").iterdir())) == 2
    rendered = heads.rendered
    again = measure_edit(pipeline, heads, NETWORKS, QUICK, editor=Lighter(), folder=tmp_path)
    assert heads.rendered == rendered
    assert again.report.tables == found.report.tables
    longer = replace(QUICK, heads=3)
    measure_edit(pipeline, heads, NETWORKS, longer, editor=Lighter(), folder=tmp_path)
    assert heads.rendered > rendered


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 0}, "heads: got 0"),
        ({"marks": (-1.0,)}, "marks"),
        ({"pairs": 11}, "pairs: got 11"),
    ],
)
def test_mistakes_of_the_evaluation(changes, said):
    with pytest.raises(UserError, match=said):
        replace(QUICK, **changes)


def test_styles_that_the_classifier_does_not_know_are_named():
    pipeline, asked = EditPipeline(tiny_editing_network()), replace(QUICK, styles=("wood",))
    with pytest.raises(UserError, match="wood"):
        measure_edit(pipeline, GreyHeads(), NETWORKS, asked)


def test_pairs_are_written_as_the_training_reads_them(tmp_path):
    originals = AvatarOriginals(GreyHeads(), 7, 3, 16)
    plan = {"seed": 7}
    write_edit_pairs(tmp_path / "set", originals, originals, STYLES, plan)
    pairs = EditPairs(tmp_path / "set")
    assert len(pairs) == 6
    assert {pairs.style(index) for index in range(6)} == {"jade", "orc"}
    assert float(pairs.edited(0).mean() - pairs.photo(0).mean()) == pytest.approx(0.5, abs=0.01)
    torch.testing.assert_close(
        pairs.camera(0).cam2world, originals.camera_of(0).cam2world.float(), atol=1e-5, rtol=0
    )
    labels = json.loads((tmp_path / "set" / "dataset.json").read_text())["labels"]
    assert [name for name, _ in labels] == [f"00000/0000000{index}.png" for index in range(3)]
    (tmp_path / "set" / "00000_orc" / "00000001.png").unlink()
    before = originals.heads.rendered
    write_edit_pairs(tmp_path / "set", originals, originals, STYLES, plan)
    assert originals.heads.rendered == before + 2
    with pytest.raises(UserError, match="holds another edit pairs"):
        write_edit_pairs(tmp_path / "set", originals, originals, ("jade",), plan)
    write_edit_pairs(tmp_path / "set", originals, originals, ("jade",), plan, overwrite=True)
    assert not (tmp_path / "set" / "00000_orc").exists()


def test_names_of_styles_hold_no_underscore():
    assert style_folders(["blue stone", "A zombie!"]) == {
        "blue stone": "blue-stone",
        "A zombie!": "a-zombie",
    }
    with pytest.raises(UserError, match="given twice"):
        style_folders(["elf", "elf!"])
    with pytest.raises(UserError, match="got none"):
        style_folders([])
    with pytest.raises(UserError, match="letters or digits"):
        style_folders(["?"])
