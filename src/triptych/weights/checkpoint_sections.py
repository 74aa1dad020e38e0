"""The networks of a checkpoint: tables of tensors with the settings stored beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.inert import shown
from triptych.weights.untrusted.stored_networks import (
    SourceText,
    as_module,
    network_of,
    tensor_table,
)
from triptych.weights.untrusted.tensor_values import StoredTensor

MAX_SECTIONS = 64
_STATE, _DISCRIMINATOR = "state_dict", "D"
_SETTINGS = (
    "init_args",
    "init_kwargs",
    "rendering_kwargs",
    "neural_rendering_resolution",
    "plane_axes",
)


@dataclass(frozen=True, eq=False)
class Section:
    """One network of a checkpoint.

    Attributes:
        class_name: Its class; empty for a plain table of tensors.
        tensors: By name.
        settings: EG3D's settings that are stored with it, under the names of `_SETTINGS`.
        sources: Source texts stored with it, by class.
    """

    class_name: str
    tensors: Mapping[str, StoredTensor]
    settings: Mapping[str, Any]
    sources: Mapping[str, SourceText] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the tensors by name."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}


def sections_of(content: Any) -> dict[str, Section]:
    """Return the networks of a checkpoint by name; "" where the file holds a single network.

    Raises:
        UserError: One of them is broken.
    """
    whole = _section(content, {})
    if whole is not None:
        return {"": whole}
    if type(content) is not dict:
        return {}
    found = {}
    for key, value in content.items():
        # the settings beside a discriminator are the generator's
        around = content if key != _DISCRIMINATOR else {}
        section = _section(value, around) if type(key) is str else None
        if section is not None:
            found[key] = section
        if len(found) > MAX_SECTIONS:
            raise UserError("the file has more networks than any checkpoint")
    return found


def _section(value: Any, around: Mapping[Any, Any]) -> Section | None:
    module = as_module(value)
    if module is not None:
        network = network_of(module)
        renderer = as_module(module.table("_modules").get("renderer"))
        state = {**(renderer.state if renderer else {}), **module.state}
        return Section(module.class_name, network.tensors, _settings(state), network.sources)
    table = tensor_table(value)
    if table is not None:
        return Section("", table, _settings(around))
    if type(value) is dict and (table := tensor_table(value.get(_STATE))) is not None:
        return Section("", table, {**_settings(around), **_settings(value)})
    return None


def _settings(holder: Mapping[Any, Any]) -> dict[str, Any]:
    """Return settings among attributes or entries; EG3D's objects mark some as private."""
    found = {}
    for name in _SETTINGS:
        for key in (name, f"_{name}"):
            if holder.get(key) is not None:
                found[name] = holder[key]
    return found


def contents_in_words(content: Any, sections: Mapping[str, Section]) -> str:
    """Return what a file holds, for a message."""
    if sections:
        parts = []
        for name, section in list(sections.items())[:4]:
            what = section.class_name or f"{len(section.tensors)} tensors"
            first = next(iter(section.tensors), "")
            example = f" such as {shown(first)}" if first and not section.class_name else ""
            parts.append(f"{shown(name) + ': ' if name else ''}{what}{example}")
        return "; ".join(parts)
    if type(content) is dict:
        keys = [shown(key) if type(key) is str else "?" for key in list(content)[:4]]
        return f"entries {', '.join(keys)}, none of which is a network" if keys else "nothing"
    return "no network and no table of tensors"
