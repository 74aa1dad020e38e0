"""The portrait file: one header for all kinds, and the codec of each."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from triptych.errors import UserError, shown
from triptych.weights.safetensors_file import FileHeader, load_tensors, read_header, save_tensors
from triptych.weights.tensor_range import check_values


class PortraitCodec(Protocol):
    """Takes portraits of one kind apart and puts them together."""

    def encode(self, portrait: Any, *, exact: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors by name and the configuration as JSON values.

        Args:
            portrait: A portrait of this kind.
            exact: Keep float32; otherwise large tensors may be halved.
        """

    def decode(
        self,
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
        provenance: dict[str, Any],
        source: str,
    ) -> Any:
        """Return the portrait; `source` is the file in the messages of what does not fit."""


_CODECS: dict[str, str | PortraitCodec] = {
    "RegionPortrait": "triptych.systems.compose.region_codec:CODEC",
    "TriPlanePortrait": "triptych.portrait.triplane_codec:CODEC",
    # What tri-plane portraits were called before there were other kinds.
    "Portrait": "triptych.portrait.triplane_codec:CODEC",
}
"""By the class that a file names: the codec, or where it is imported from."""


def register_codec(class_name: str, codec: str | PortraitCodec) -> None:
    """Make a kind of portrait known.

    Args:
        class_name: Name of the portrait's class, which its files carry.
        codec: The codec, or "module:name" of it, imported when a file needs it.
    """
    _CODECS[class_name] = codec


def known_kinds() -> list[str]:
    """Return the class names of all kinds of portraits that can be opened."""
    return sorted(_CODECS)


def save_portrait(path: str | Path, portrait: Any, *, exact: bool) -> None:
    """Write a portrait; see `Portrait.save`.

    Raises:
        UserError: Its numbers are not finite, which no reader would accept, or do not fit into half
            precision, or the file cannot be written.
    """
    kind = type(portrait).__name__
    tensors, config = _codec(kind).encode(portrait, exact=exact)
    check_values(tensors, f"the portrait for {path}")
    save_tensors(path, tensors, FileHeader(kind, config, provenance=portrait.provenance))


def load_portrait(path: str | Path) -> Any:
    """Read a portrait of any known kind.

    Raises:
        UserError: The file is absent, broken, of another program or no portrait of a known kind.
    """
    check_is_portrait(path)
    tensors, header = load_tensors(path)
    codec = _codec(header.class_name)
    try:
        return codec.decode(tensors, header.config, header.provenance, str(path))
    except UserError as error:
        if str(path) in str(error):
            raise
        raise UserError(f"{path}: {error}") from error
    except (LookupError, RuntimeError, TypeError) as error:
        raise UserError(
            f"{path} is no whole {header.class_name}: its codec fails ({shown(error)})"
        ) from error


def check_is_portrait(path: str | Path) -> None:
    """Raise UserError unless a file says that it holds a portrait of a known kind."""
    found = read_header(path).class_name
    if found not in _CODECS:
        raise UserError(
            f"{path} holds a {found}; expected a portrait ({', '.join(known_kinds())}); "
            "give a file that generate, stylize, invert or compose wrote, or upgrade triptych"
        )


def _codec(kind: str) -> PortraitCodec:
    codec = _CODECS.get(kind)
    if codec is None:
        raise UserError(
            f"no codec for portraits of kind {kind}; known are {', '.join(known_kinds())}; "
            "register one with triptych.portrait.portrait_file.register_codec"
        )
    if isinstance(codec, str):
        module, _, name = codec.partition(":")
        return getattr(importlib.import_module(module), name)
    return codec
