"""The ComfyUI nodes against a stub of ComfyUI: schemas, pictures, and files in its folder only."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

NODES = Path(__file__).parents[3] / "integrations" / "comfyui"


class Typed:
    """Stands for a type of `comfy_api.latest.io`: what it is given is kept."""

    def __init__(self, io_type: str) -> None:
        self.io_type = io_type

    def Input(self, id: str, **more):
        return types.SimpleNamespace(id=id, io_type=self.io_type, **more)

    def Output(self, **more):
        return types.SimpleNamespace(io_type=self.io_type, **more)


def stub(output: Path) -> dict[str, types.ModuleType]:
    """Return modules that look to the nodes as ComfyUI's do."""
    io = types.SimpleNamespace(
        ComfyNode=type("ComfyNode", (), {"hidden": types.SimpleNamespace(unique_id="7")}),
        Schema=types.SimpleNamespace,
        Custom=Typed,
        NodeOutput=lambda *values, ui=None: types.SimpleNamespace(values=values, ui=ui),
        Hidden=types.SimpleNamespace(unique_id="unique_id"),
        **{name: Typed(name.upper()) for name in ("Int", "Float", "String", "Combo", "Image")},
        Mask=Typed("MASK"),
    )
    latest = types.ModuleType("comfy_api.latest")
    latest.io, latest.ComfyExtension = io, type("ComfyExtension", (), {})

    def get_save_image_path(prefix: str, folder: str):
        place, name = Path(folder, prefix).parent, Path(prefix).name
        place.mkdir(parents=True, exist_ok=True)
        below = place.relative_to(folder).as_posix()
        count = len([path for path in place.iterdir() if path.name.startswith(name)])
        return str(place), name, count + 1, "" if below == "." else below, prefix

    paths = types.ModuleType("folder_paths")
    paths.get_output_directory, paths.get_save_image_path = lambda: str(output), get_save_image_path
    utils, management = types.ModuleType("comfy.utils"), types.ModuleType("comfy.model_management")
    utils.ProgressBar, management.get_torch_device = mock.Mock(), lambda: torch.device("cpu")
    comfy = types.ModuleType("comfy")
    comfy.utils, comfy.model_management = utils, management
    modules = (comfy, utils, management, paths, latest, types.ModuleType("comfy_api"))
    return {module.__name__: module for module in modules}


@pytest.fixture
def output(tmp_path) -> Path:
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


@pytest.fixture
def nodes(output, monkeypatch) -> Iterator[dict[str, type]]:
    """The nodes by their identifiers, loaded as ComfyUI loads them."""
    for name, module in stub(output).items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("toy_custom_nodes", NODES / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, package)
    spec.loader.exec_module(package)

    async def listed():
        return await (await package.comfy_entrypoint()).get_node_list()

    found = asyncio.run(listed())
    yield {node.define_schema().node_id: node for node in found}
    for name in [name for name in sys.modules if name.startswith("toy_custom_nodes.")]:
        del sys.modules[name]


@pytest.fixture
def pipeline(nodes, monkeypatch) -> mock.Mock:
    made = mock.Mock()
    asked = mock.Mock(return_value=made)
    monkeypatch.setattr(sys.modules["toy_custom_nodes.nodes"], "_pipeline", asked)
    made.asked = asked
    return made


def test_every_node_takes_what_its_schema_says(nodes):
    assert len(nodes) == 6
    for name, node in nodes.items():
        schema = node.define_schema()
        assert name.startswith("Triptych")
        assert schema.category == "triptych"
        taken = inspect.signature(node.execute).parameters
        assert [field.id for field in schema.inputs] == list(taken)
        optional = [field.id for field in schema.inputs if getattr(field, "optional", False)]
        assert optional == [key for key, value in taken.items() if value.default is None]
        for field in schema.inputs:
            if hasattr(field, "options"):
                assert field.default in field.options


def test_a_view_is_a_picture_of_comfyui(nodes, ball):
    image, mask = nodes["TriptychView"].execute(ball, 20.0, 0.0, 32).values
    view = ball.render(ball.orbit(float(np.radians(20.0))), 32)
    assert image.shape == (1, 32, 32, 3)
    assert mask.shape == (1, 32, 32)
    assert torch.allclose(image[0, ..., 1], view.image[0, 1].clamp(-1, 1) / 2 + 0.5)
    assert torch.equal(mask[0], view.alpha[0, 0])


def test_pipelines_get_what_the_wires_carry(nodes, pipeline):
    assert nodes["TriptychGenerate"].execute(7).values == (pipeline.return_value,)
    pipeline.assert_called_with(7)
    head = object()
    made = nodes["TriptychStylize"].execute(head, "bronze", "draft", 3)
    assert made.values == (pipeline.return_value.portrait,)
    asked = pipeline.call_args.kwargs
    assert (asked["identity"], asked["quality"], asked["seed"]) == (head, "draft", 3)
    asked["progress"]("fitting", 2, 5)
    bar = sys.modules["comfy.utils"].ProgressBar
    bar.assert_called_with(1, node_id="7")
    bar.return_value.update_absolute.assert_called_with(2, 5)

    image = torch.zeros(2, 4, 6, 3)
    image[0, 1, 2] = torch.tensor([1.0, 0.5, 2.0])
    nodes["TriptychEdit"].execute(head, "unused", 0.5, image)
    assert pipeline.call_args.kwargs["reference"][1, 2].tolist() == [255, 128, 255]
    assert "prompt" not in pipeline.call_args.kwargs
    nodes["TriptychEdit"].execute(head, "a zombie", 1.0)
    assert pipeline.call_args.args == (head,)
    assert pipeline.call_args.kwargs == {"prompt": "a zombie", "strength": 1.0}
    for method, system in (("likeness", "lift"), ("avatar", "invert")):
        nodes["TriptychFromPhoto"].execute(image, method, 2)
        pipeline.asked.assert_called_with(system)
        assert pipeline.call_args.kwargs["face"] == 2


def test_files_go_below_the_output_folder(nodes, ball, output):
    export = nodes["TriptychExport"].execute
    (first,), (second,) = [export(ball, "portrait", "heads/ball").values for _ in range(2)]
    assert (first, second) == (
        "heads/ball_00001_.safetensors",
        "heads/ball_00002_.safetensors",
    )
    several = export(ball, "picture", "ball")
    assert several.values == ("ball_00001_/front.png",)
    assert [entry["subfolder"] for entry in several.ui["files"]] == ["ball_00001_"] * 2
    files = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert files == {
        *(first, second),
        *("ball_00001_/front.png", "ball_00001_/front-transparent.png"),
    }


@pytest.mark.parametrize("prefix", ["../out", "a/../../out", "/tmp/out", "", " ", ".", "link/out"])
def test_no_name_leads_out_of_the_output_folder(nodes, output, tmp_path, prefix):
    (output / "link").symlink_to(tmp_path)
    portrait = mock.Mock()
    with pytest.raises(ValueError, match="leads out of ComfyUI's output folder"):
        nodes["TriptychExport"].execute(portrait, "portrait", prefix)
    portrait.save.assert_not_called()
    assert [path.name for path in output.iterdir()] == ["link"]


def test_the_package_is_what_the_registry_expects():
    tomllib = pytest.importorskip("tomllib", reason="tomllib is part of Python 3.11 and later")
    described = tomllib.loads((NODES / "pyproject.toml").read_text())
    assert {"PublisherId", "DisplayName"} <= described["tool"]["comfy"].keys()
    root = tomllib.loads((NODES.parents[1] / "pyproject.toml").read_text())
    assert described["project"]["version"] == root["project"]["version"]
    code = "".join(path.read_text() for path in NODES.glob("*.py"))
    for unwanted in ("eval(", "exec(", "subprocess", "os.system", "pip"):
        assert unwanted not in code.replace("pipeline", "").replace("_pipeline", "")
