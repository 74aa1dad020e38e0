"""Every module can be imported and every public name exists."""

from __future__ import annotations

import importlib

import pytest
from source_tree import FILES, module_name

import triptych

MODULES = [module_name(file) for file in FILES if file.stem != "__main__"]


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_and_its_public_names_resolve(name):
    module = importlib.import_module(name)
    missing = [public for public in getattr(module, "__all__", ()) if not hasattr(module, public)]
    assert not missing


def test_public_names_are_the_documented_ones():
    assert set(triptych.__all__) == {
        "Camera",
        "GeneratePipeline",
        "InvertPipeline",
        "Portrait",
        "StylizePipeline",
        "TriPlanePortrait",
        "UserError",
        "View",
        "__version__",
    }
    assert set(triptych.__all__) == set(dir(triptych))


def test_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Portrayt'"):
        _ = triptych.Portrayt
