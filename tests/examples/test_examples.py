"""What is in examples/ runs; at tiny settings, the long ones among the slow tests."""

from __future__ import annotations

import ast

import pytest
from example_files import EXAMPLES, code_cells, load_example

from triptych.portrait import Portrait

PROGRAMS = sorted(EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.parametrize("name", ["first_portrait", "photo_to_bronze", "train_tiny_generator"])
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


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_run(notebook, tmp_path, monkeypatch):
    """Their cells are plain Python, so no kernel is needed."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in code_cells(notebook):
        tiny = cell.replace("SIZE = 192", "SIZE = 48").replace("STEPS = 120", "STEPS = 4")
        exec(compile(tiny, str(notebook), "exec"), names)
    assert (tmp_path / "notebook" / "bronze.safetensors").exists()
