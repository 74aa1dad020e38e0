"""`triptych models`: the models that this installation knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from triptych.cli.options import MaybePath
from triptych.errors import UserError
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.weights.registry import ModelEntry


@dataclass(frozen=True)
class Models:
    """List the models: embedded or official, licence, size, present or not; or one in detail."""

    name: Annotated[
        str, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]", help_behavior_hint="")
    ] = ""
    """Show this model in detail: files, addresses, hashes, expected configuration."""
    json: bool = False
    """Write JSON, with hashes, pages and configurations, instead of a table."""
    hub: MaybePath = None
    """Write this model as a folder that is ready to be pushed to the Hugging Face hub."""

    def run(self) -> None:
        """Do the work."""
        from triptych.weights.registry import MODELS, find

        if self.hub is not None:
            if not self.name:
                raise UserError("--hub: which model? Add its name: triptych models NAME --hub DIR")
            from triptych.weights.hub_folder import save_pretrained

            save_pretrained(find(self.name).name, self.hub)
            console.result(str(self.hub))
            return
        entries = [find(self.name)] if self.name else list(MODELS.values())
        if self.json:
            described = [_description(entry) for entry in entries]
            console.result(json.dumps(described[0] if self.name else described, indent=2))
        elif self.name:
            for key, value in _description(entries[0]).items():
                shown = json.dumps(value) if isinstance(value, dict | list) else value
                console.result(f"{key}: {'-' if shown in ('', None) else shown}")
        else:
            _table(entries)


def _table(entries: list[ModelEntry]) -> None:
    rows = [
        (
            entry.name,
            entry.kind,
            entry.origin,
            _size(entry.num_bytes()),
            "yes" if entry.present() else "no",
            entry.licence,
            entry.page,
        )
        for entry in entries
    ]
    console.table(("name", "kind", "origin", "size", "present", "licence", "page"), rows)


def _description(entry: ModelEntry) -> dict[str, Any]:
    """Return everything known about a model, as JSON values."""
    from triptych.config import to_dict

    described: dict[str, Any] = {
        "name": entry.name,
        "kind": entry.kind,
        "origin": entry.origin,
        "licence": entry.licence,
        "licence_page": entry.licence_page,
        "page": entry.page,
        "file": str(entry.path),
        "present": entry.present(),
        "bytes": entry.num_bytes(),
        "sha256": entry.sha256(),
    }
    config = entry.expected_config()
    if entry.published is not None:
        described["published"] = to_dict(entry.published)
    if config is not None:
        described["expected_config"] = to_dict(config)
    return described


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes else "-"
