"""Networks inside a file that was read without running it: class names, arguments, tensors.

A network is a tree of records, each with the three dictionaries in which torch keeps parameters,
buffers and children. EG3D writes most of them through its persistence module, with the source text
of their classes beside them; that text is measured here, and nothing else.

Reference: Karras et al., StyleGAN2-ADA (2020), official code: that module's record has the fields
type, version, module_src, class_name, state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.inert import GlobalName, InertObject, LongText, kind_of, shown
from triptych.weights.untrusted.tensor_values import StoredTensor

MAX_MODULES = 20_000
MAX_TENSORS = 50_000
DEEPEST = 64
LONGEST_TENSOR_NAME = 512
_PERSISTENT = "_reconstruct_persistent_obj"
_NEWEST_PERSISTENT_VERSION = 6


@dataclass(frozen=True)
class SourceText:
    """Source text of a class in the file: never run, only measured."""

    num_characters: int
    sha256: str


@dataclass(frozen=True, eq=False)
class StoredModule:
    """One record of the tree.

    Attributes:
        class_name: Name of its class, without the module.
        state: Its attributes by name, as the file has them.
        source: Source text that is stored with it, still as the file has it.
    """

    class_name: str
    state: Mapping[Any, Any]
    source: Any = None

    def table(self, name: str) -> Mapping[Any, Any]:
        """Return one of torch's dictionaries; empty where there is none."""
        found = self.state.get(name)
        return found if type(found) is dict else {}


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """A whole network.

    Attributes:
        root: Its outermost record.
        tensors: All parameters and buffers under their state-dict names.
        sources: Source texts by the class they were stored with.
    """

    root: StoredModule
    tensors: dict[str, StoredTensor]
    sources: dict[str, SourceText] = field(default_factory=dict)


def as_module(value: Any) -> StoredModule | None:
    """Return a value of the file as a network record; None if it is something else."""
    if not isinstance(value, InertObject):
        return None
    if value.name == _PERSISTENT:
        return _persistent_module(value)
    if type(value.state) is dict and "_parameters" in value.state and "_modules" in value.state:
        callee = value.callee
        name = callee.name if isinstance(callee, GlobalName) else "object"
        return StoredModule(shown(name.split(".")[-1]), value.state)
    return None


def _persistent_module(value: InertObject) -> StoredModule:
    fields = value.arguments[0] if len(value.arguments) == 1 else None
    if type(fields) is not dict or fields.get("type") != "class":
        raise UserError("a network in the file is not written as EG3D writes networks")
    version, name, state = fields.get("version"), fields.get("class_name"), fields.get("state")
    if type(version) is not int or not 1 <= version <= _NEWEST_PERSISTENT_VERSION:
        raise UserError("a network in the file is written in a version that is not known")
    if type(name) is not str or type(state) is not dict:
        raise UserError("a network in the file is not written as EG3D writes networks")
    return StoredModule(shown(name), state, fields.get("module_src"))


def network_of(module: StoredModule) -> StoredNetwork:
    """Collect the tensors of a network.

    Raises:
        UserError: Something that should be a tensor or a part is not, or the tree has no end.
    """
    tensors: dict[str, StoredTensor] = {}
    sources: dict[str, SourceText] = {}
    measured: dict[int, SourceText] = {}
    for prefix, part in _parts(module):
        if part.source is not None and part.class_name not in sources:
            key = id(part.source)
            measured[key] = measured.get(key) or _measure(part.source)
            sources[part.class_name] = measured[key]
        noted = part.state.get("_non_persistent_buffers_set")
        unsaved: frozenset[Any] = frozenset(noted) if isinstance(noted, set) else frozenset()
        named = [*part.table("_parameters").items()]
        named += [item for item in part.table("_buffers").items() if item[0] not in unsaved]
        for name, value in named:
            if value is None:
                continue
            full = prefix + _tensor_name(name)
            if not isinstance(value, StoredTensor):
                raise UserError(f"in place of the tensor {full} stands {kind_of(value)}")
            tensors[full] = value
        if len(tensors) > MAX_TENSORS:
            raise UserError("a network in the file has more tensors than any checkpoint")
    return StoredNetwork(module, tensors, sources)


def _parts(module: StoredModule) -> Iterator[tuple[str, StoredModule]]:
    """Yield a network and all its parts with the prefixes of their tensors' names."""
    waiting, count = [("", module, 0)], 0
    while waiting:
        prefix, part, depth = waiting.pop()
        count += 1
        if count > MAX_MODULES or depth > DEEPEST:
            raise UserError("a network in the file has more parts than any checkpoint")
        yield prefix, part
        for name, child in reversed(list(part.table("_modules").items())):
            if child is None:
                continue
            full = prefix + _tensor_name(name)
            found = as_module(child)
            if found is None:
                raise UserError(f"in place of the part {full} stands {kind_of(child)}")
            waiting.append((full + ".", found, depth + 1))
            if len(waiting) > MAX_MODULES:
                raise UserError("a network in the file has more parts than any checkpoint")


def tensor_table(value: Any) -> dict[str, StoredTensor] | None:
    """Return a value of the file as a plain table of tensors; None if it is something else."""
    if type(value) is not dict or not value or len(value) > MAX_TENSORS:
        return None
    for name, tensor in value.items():
        if type(name) is not str or not isinstance(tensor, StoredTensor):
            return None
    return {_tensor_name(name): tensor for name, tensor in value.items()}


def _tensor_name(name: Any) -> str:
    if type(name) is not str or len(name) > LONGEST_TENSOR_NAME or not name.isprintable():
        raise UserError("a tensor in the file has no proper name")
    return name


def _measure(source: Any) -> SourceText:
    if isinstance(source, LongText):
        return SourceText(len(source.content), hashlib.sha256(source.content).hexdigest())
    if type(source) is not str:
        return SourceText(0, "")
    content = source.encode("utf-8", "surrogatepass")
    return SourceText(len(source), hashlib.sha256(content).hexdigest())
