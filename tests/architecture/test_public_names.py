"""Every module can be imported and every public name exists."""

from __future__ import annotations

import importlib

import pytest
from source_tree import FILES, module_name

import triptych


def test_modules_import_and_their_public_names_resolve():
    modules = [
        importlib.import_module(module_name(file)) for file in FILES if file.stem != "__main__"
    ]
    missing = [
        f"{module.__name__}.{name}"
        for module in modules
        for name in getattr(module, "__all__", ())
        if not hasattr(module, name)
    ]
    assert not missing


def test_public_names_are_the_documented_ones():
    assert set(triptych.__all__) == {
        "AdaptPipeline",
        "Camera",
        "ComposePipeline",
        "EditPipeline",
        "Edited",
        "GeneratePipeline",
        "InvertPipeline",
        "Inverted",
        "LiftPipeline",
        "Lifted",
        "Portrait",
        "RegionChoice",
        "RegionPortrait",
        "StylePack",
        "StyleStrength",
        "StylizePipeline",
        "Stylized",
        "TriPlanePortrait",
        "UserError",
        "View",
        "__version__",
    }
    assert set(triptych.__all__) == set(dir(triptych))


def test_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Portrayt'"):
        _ = triptych.Portrayt
