"""`triptych models`: what this installation knows."""

from __future__ import annotations

import json
from dataclasses import dataclass

from triptych.cli import console


@dataclass(frozen=True)
class Models:
    """List the models: embedded or official, licence, size, present or not."""

    json: bool = False
    """Write JSON, with hashes and pages, instead of a table."""

    def run(self) -> None:
        """Do the work."""
        from triptych.weights.registry import MODELS

        if self.json:
            entries = [
                {
                    "name": entry.name,
                    "kind": entry.kind,
                    "origin": entry.origin,
                    "licence": entry.licence,
                    "bytes": entry.num_bytes(),
                    "present": entry.present(),
                    "sha256": entry.sha256(),
                    "page": entry.page,
                }
                for entry in MODELS.values()
            ]
            console.result(json.dumps(entries, indent=2))
            return
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
            for entry in MODELS.values()
        ]
        console.table(("name", "kind", "origin", "size", "present", "licence", "page"), rows)


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes else "-"
