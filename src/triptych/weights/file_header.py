"""The header of a file of this package: class, configuration, licence, provenance, metrics.

It is one JSON text in the metadata of a safetensors file. Since version 2 the hash in it covers the
header too, so that damage and later changes show. It is no signature: who makes a file can make its
hash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from triptych.config import from_dict
from triptych.errors import UserError, shown
from triptych.json_text import parse_json

FORMAT = "triptych"
FORMAT_VERSION = 2
_OLDEST_VERSION = 1
_LONGEST_NAME = 200


@dataclass(frozen=True)
class FileHeader:
    """The description that a file holds of its tensors.

    Attributes:
        class_name: Class that the tensors belong to, for instance "TriPlaneGenerator".
        config: Its configuration as JSON values.
        licence: Terms of use of the tensors.
        provenance: How they were made: recipe, data, seeds, date, other models.
        metrics: Measured values by name.
        sha256: Hash of names, types, shapes and contents of the tensors; since version 2 also of
            everything above.
        format_version: Version of this layout.
    """

    class_name: str
    config: dict[str, Any]
    licence: str = "Apache-2.0"
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
    format_version: int = FORMAT_VERSION


def header_text(header: FileHeader, content: str) -> str:
    """Return a header as text, with the hash that belongs to it in place of its own.

    Args:
        header: The header.
        content: Hash of the tensors.
    """
    fields = {"format": FORMAT, **asdict(header), "sha256": hash_of(header, content)}
    return json.dumps(fields, sort_keys=True)


def header_of(text: str, source: str) -> FileHeader:
    """Read a header.

    Args:
        text: As `header_text` returns it.
        source: Its file, for the error message.

    Raises:
        UserError: It is broken, incomplete or of a newer format.
    """
    try:
        fields = parse_json(text)
        if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
            raise UserError(f"expected an object with the format {FORMAT}")
    except UserError as error:
        raise UserError(f"{source} has a header that cannot be read: {error}") from error
    version = fields.get("format_version")
    if type(version) is int and version > FORMAT_VERSION:
        raise UserError(
            f"{source} was written by a newer triptych (format {version}, this one reads up to "
            f"{FORMAT_VERSION}): pip install --upgrade triptych"
        )
    if type(version) is not int or version < _OLDEST_VERSION:
        raise UserError(
            f"{source} has format version {shown(version)}; expected {_OLDEST_VERSION} to "
            f"{FORMAT_VERSION}; write it again"
        )
    try:
        header = from_dict(FileHeader, fields)
    except UserError as error:
        raise UserError(f"{source} has an incomplete or broken header: {error}") from error
    if len(header.class_name) > _LONGEST_NAME:
        raise UserError(f"{source} names a class with more than {_LONGEST_NAME} letters")
    return header


def hash_of(header: FileHeader, content: str) -> str:
    """Return the hash that a header of its version must have.

    Args:
        header: The header; the hash in it is not looked at.
        content: Hash of the tensors.
    """
    return content if header.format_version == 1 else sealed_hash(header, content)


def sealed_hash(header: FileHeader, content: str) -> str:
    """Return the hash over all of a header but the hash in it, and the hash of the tensors."""
    covered = json.loads(json.dumps(asdict(header)))  # as it will be read: keys are texts
    del covered["sha256"]
    text = json.dumps([covered, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
