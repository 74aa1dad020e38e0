"""What is in examples/ runs; at tiny settings, the long ones among the slow tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from eg3d_pickles import eg3d_pickle, tiny_eg3d
from example_files import EXAMPLES, code_cells, load_example
from toy_compose import tiny_region_generator

from triptych.portrait import Portrait
from triptych.weights import save_module

PROGRAMS = sorted(EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.parametrize("name", [file.stem for file in PROGRAMS if file.stem != "egg_system"])
def test_programs_explain_themselves(name, capsys):
    with pytest.raises(SystemExit) as left:
        load_example(name).main(["--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert f"python examples/{name}.py" in said
    assert "--out" in said


def test_notebooks_are_stored_without_results():
    assert NOTEBOOKS
    for notebook in NOTEBOOKS:
        assert '"outputs": []' in notebook.read_text()
        for cell in code_cells(notebook):
            ast.parse(cell)


def test_first_portrait(tmp_path, capsys):
    load_example("first_portrait").main(["--size", "16", "--out", str(tmp_path)])
    assert {file.name for file in tmp_path.iterdir()} == {"portrait.safetensors", "views.png"}
    assert "(5, 3, 16, 16)" in capsys.readouterr().out


@pytest.mark.slow
def test_photo_to_bronze(tmp_path):
    pytest.importorskip("mediapipe")
    words = ["--quality", "draft", "--steps", "10", "--out", str(tmp_path)]
    load_example("photo_to_bronze").main(words)
    assert (tmp_path / "sheet.png").exists()
    assert Portrait.load(tmp_path / "stylised.safetensors").provenance["pipeline"] == "stylize"


@pytest.mark.slow
def test_train_tiny_generator(tmp_path):
    words = ["--heads", "2", "--steps", "2", "--out", str(tmp_path)]
    load_example("train_tiny_generator").main(words)
    assert (tmp_path / "heads.png").exists()


def test_a_published_checkpoint(tmp_path, capsys):
    (tmp_path / "ffhq.pkl").write_bytes(eg3d_pickle(tiny_eg3d()))
    words = [str(tmp_path / "ffhq.pkl"), "--seeds", "4", "--out", str(tmp_path / "faces")]
    load_example("published_checkpoint").main(words)
    assert "licence: " in capsys.readouterr().out
    assert (tmp_path / "faces" / "sheet.png").exists()
    assert Portrait.load(tmp_path / "faces" / "00004.safetensors").provenance["seed"] == 4


@pytest.mark.thorough
def test_swap_hair(tmp_path):
    save_module(tmp_path / "regions.safetensors", tiny_region_generator())
    words = ["--model", str(tmp_path / "regions.safetensors"), "--size", "16", "--texture", "64"]
    load_example("swap_hair").main([*words, "--out", str(tmp_path / "swapped")])
    swapped = Portrait.load(tmp_path / "swapped" / "3_hair_7.safetensors")
    assert swapped.provenance["regions"] == [{"region": "hair", "seed": 7, "aspect": "both"}]
    assert (tmp_path / "swapped" / "7_hair_3.glb").exists()


@pytest.mark.slow
def test_heads_and_cameras(tmp_path, monkeypatch):
    names = _run_notebook("heads_and_cameras", tmp_path, monkeypatch)
    assert (tmp_path / "notebook" / "bronze.safetensors").exists()
    assert names["stylized"].portrait.provenance["prompt"] == "a bronze statue"


@pytest.mark.thorough
def test_inside_a_portrait(tmp_path, monkeypatch):
    names = _run_notebook("inside_a_portrait", tmp_path, monkeypatch)
    assert not names["fitted"].planes.equal(names["head"].planes)
    assert len(names["mesh"].triangles) > 1000


def _run_notebook(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run its cells, which are plain Python, with small pictures and few steps."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for cell in code_cells(EXAMPLES / f"{name}.ipynb"):
        tiny = re.sub(r"^SIZE = \d+", "SIZE = 48", cell, flags=re.MULTILINE)
        tiny = re.sub(r"^STEPS = \d+", "STEPS = 4", tiny, flags=re.MULTILINE)
        exec(compile(tiny, name, "exec"), names)
    return names
