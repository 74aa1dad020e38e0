"""The ablation's table: means, orders, and what is said when a figure is missing."""

from __future__ import annotations

import pytest

from triptych.systems.stylize.ablation import (
    VARIANTS,
    AblationScore,
    AblationSettings,
    ablation_report,
)


def _score(variant: str, style: str, probability: float) -> AblationScore:
    return AblationScore(
        variant=variant,  # type: ignore[arg-type]
        style=style,
        identity=0,
        probability=probability,
        recognised=0.5,
        to_edits=0.1,
        to_truth=None,
        sharpness=0.05,
    )


def test_orders_are_those_of_the_mean_probabilities() -> None:
    scores = [
        _score("full", "elf", 0.9),
        _score("full", "gold", 0.5),
        _score("vector", "elf", 0.95),
        _score("vector", "gold", 0.41),
        _score("no_pretraining", "elf", 0.1),
        _score("no_pretraining", "gold", 0.1),
        _score("none", "elf", 0.8),
        _score("none", "gold", 0.8),
    ]
    report = ablation_report(scores, AblationSettings())
    assert report.summary == {
        "full > w/o spatial w_s": "yes",
        "full > w/o pre-training": "yes",
        "full > w/o I2T": "no",
        "heads and styles": 2,
    }
    rows = {row[0]: row for row in report.tables["By variant"].rows}
    assert rows["full"][1] == pytest.approx(0.7)
    assert rows["w/o spatial w_s"][1] == pytest.approx(0.68)
    assert rows["full"][4] is None
    assert [row[-1] for row in report.tables["By variant"].rows] == [0.306, 0.282, 0.113, 0.251]
    by_style = {row[0]: row[1:] for row in report.tables["By style"].rows}
    assert by_style["elf"] == pytest.approx((0.9, 0.95, 0.1, 0.8))


def test_a_variant_that_was_not_run_has_no_order() -> None:
    report = ablation_report([_score("full", "elf", 0.9)], AblationSettings())
    assert report.summary["full > w/o I2T"] is None
    assert len(report.tables["By variant"].rows) == len(VARIANTS)
