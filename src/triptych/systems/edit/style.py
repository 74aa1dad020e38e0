"""A custom edit as a small file: prompt tokens and residual weights for one network."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.config import check_fields, from_dict, to_dict
from triptych.errors import UserError, shown
from triptych.systems.edit.encoder import TriplaneEncoder
from triptych.systems.edit.residual_weights import ResidualWeights
from triptych.weights.file_header import FileHeader
from triptych.weights.safetensors_file import content_hash, load_tensors, save_tensors
from triptych.weights.tensor_range import check_values

_TOKENS = "tokens"
_MOST_TOKENS = 4096
LARGEST_FILE = 2_000_000
"""Bytes."""


@dataclass(frozen=True)
class EditModel:
    """The network that a custom edit belongs to.

    Attributes:
        name: As `triptych models` has it, or a file.
        sha256: Hash of its file; empty where it came from none.
        edit: What the custom edit is called.
    """

    name: str
    sha256: str
    edit: str = "custom"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, eq=False)
class EditStyle:
    """What `triptych edit-style` learns.

    Attributes:
        model: The network it belongs to, and its own name.
        tokens: Prompt tokens [1, k, d], in the place of a prompt's.
        residuals: What is added to the plane branch.
        provenance: How it was learned, as JSON values.
    """

    model: EditModel
    tokens: Tensor
    residuals: ResidualWeights
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """Hash of the numbers."""
        return content_hash(self._stored())

    def record(self) -> dict[str, Any]:
        """Return what identifies the edit, for the provenance of a portrait."""
        return {"name": self.model.edit, "sha256": self.sha256, "provenance": self.provenance}

    def applied_to(self, encoder: TriplaneEncoder) -> TriplaneEncoder:
        """Return an encoder whose plane branch has the residuals; the rest is shared.

        Raises:
            UserError: They do not fit.
        """
        branch = copy.deepcopy(encoder.Final_encoder)
        with torch.no_grad():
            changed = self.residuals.parameters_of(encoder.Final_encoder)
        branch.load_state_dict({**branch.state_dict(), **changed})
        styled = copy.copy(encoder)
        styled._modules = {**encoder._modules, "Final_encoder": branch}
        return styled

    def check_model(self, name: str, sha256: str) -> None:
        """Raise UserError unless the edit was learned on a network."""
        if sha256 != self.model.sha256:
            own, got = (
                f"{shown(title)} ({digest[:12] or 'from no file'})"
                for title, digest in ((self.model.name, self.model.sha256), (name, sha256))
            )
            raise UserError(
                f"the custom edit {shown(self.model.edit)} was learned on the network {own}: got "
                f"{got}; use the one it was learned on, or learn it again"
            )

    @checked
    def save(self, path: str | Path) -> None:
        """Write the file, atomically.

        Raises:
            UserError: It cannot be written.
        """
        header = FileHeader(
            class_name=type(self).__name__,
            config=to_dict(self.model),
            licence="as that of the pairs",
            provenance=self.provenance,
        )
        save_tensors(path, self._stored(), header)

    @classmethod
    @checked
    def load(cls, path: str | Path) -> EditStyle:
        """Read a file.

        Raises:
            UserError: It is absent, broken, damaged, or holds no custom edit.
        """
        tensors, header = load_tensors(path, cls.__name__)
        check_values(tensors, str(path))
        tokens = tensors.pop(_TOKENS, None)
        if (
            tokens is None
            or tokens.ndim != 3
            or len(tokens) != 1
            or not 1 <= tokens.shape[1] <= _MOST_TOKENS
        ):
            raise UserError(f"{path}: its prompt tokens are missing or broken; get the file again")
        try:
            model = from_dict(EditModel, header.config)
            return cls(model, tokens, ResidualWeights.of_tensors(tensors), header.provenance)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def _stored(self) -> dict[str, Tensor]:
        numbers = {_TOKENS: self.tokens, **self.residuals.tensors()}
        return {name: tensor.detach().cpu().half() for name, tensor in numbers.items()}


def rounded(tokens: Tensor, residuals: ResidualWeights) -> tuple[Tensor, ResidualWeights]:
    """Return numbers as a file gives them back, so that a new edit equals its file."""
    kept = {name: t.detach().half().float() for name, t in residuals.tensors().items()}
    return tokens.detach().half().float(), ResidualWeights.of_tensors(kept)
