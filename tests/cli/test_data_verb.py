"""`triptych data`: exit codes, one-line complaints and what is left on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from triptych.cli.main import main


def test_avatars_writes_a_data_set(makehuman_pack, tmp_path, capsys):
    out = tmp_path / "set"
    words = [
        "--count",
        "1",
        "--views",
        "1",
        "--size",
        "16",
        "--seed",
        "7",
        "--styles",
        "gold",
        "--pack",
    ]
    assert main(["data", "avatars", *words, str(makehuman_pack), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    labels = json.loads((out / "images" / "dataset.json").read_text())["labels"]
    assert [len(numbers) for _, numbers in labels] == [25]
    assert json.loads((out / "heads.json").read_text())[0]["style"] == "gold"


def test_shards_writes_what_the_recipes_read(makehuman_pack, tmp_path):
    words = [
        "--count",
        "1",
        "--views",
        "1",
        "--size",
        "16",
        "--seed",
        "7",
        "--variants",
        "2",
        "--pack",
    ]
    assert main(["data", "shards", *words, str(makehuman_pack), "--out", str(tmp_path)]) == 0
    pictures = np.load(next(tmp_path.glob("shard_*/rgb.npy")))
    assert pictures.shape == (1, 2, 1, 16, 16, 3)
    assert (pictures[0, 0] != pictures[0, 1]).any()


def test_makehuman_writes_a_pack(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "unit" / "avatars")
    from makehuman_checkouts import write_small_checkouts

    program, assets = write_small_checkouts(tmp_path)
    out = tmp_path / "deep" / "pack.npz"
    words = ["data", "makehuman", "--from", str(assets), str(program), "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(out)
    assert "18 morph targets, 38 fitted meshes" in said.err
    assert "targets/names" in np.load(out).files


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "makehuman"),
        ("avatars --out x", "--count"),
        ("avatars --count none --out x", "count"),
        ("avatars --count 0 --out x", "count: got 0; expected a number from 1"),
        ("avatars --count 1 --out x --styles unicorn", "unicorn"),
        ("avatars --count 1 --out x --pack none.npz", "none.npz"),
        ("makehuman --from nowhere", "from"),
        ("makehuman --from nowhere elsewhere --out p.npz", "no folder nowhere"),
        ("shards --out x --count 0", "--count: got 0"),
        ("prior-renders --shards nowhere --out x", "no avatar shards in nowhere"),
        ("regions nowhere --masks none --out x", "nowhere is not a folder"),
        ("regions nowhere --masks none --out x --sizes 64 64", "--sizes: got [64, 64]"),
        (
            "regions nowhere --masks none --out x --classes bisnet",
            "got 'bisnet'; expected one of celebamask",
        ),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(words, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", *words.split()]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert complaint in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
