"""How a portrait was made, as every pipeline records it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

import triptych


def provenance_of(
    pipeline: str, model: str, model_hashes: Mapping[str, str], **request: Any
) -> dict[str, Any]:
    """Return the record of a portrait as JSON values; equal requests give equal records.

    Args:
        pipeline: Name of the pipeline.
        model: Name of the model, as the pipeline got it.
        model_hashes: Hash of each model's file by name; empty for models that come from no file.
        **request: Everything else that decides the result: seed, prompt, settings.
    """
    record = {
        "pipeline": pipeline,
        "triptych": triptych.__version__,
        "torch": torch.__version__,
        "model": model,
        "model_hashes": dict(model_hashes),
        **request,
    }
    return json.loads(json.dumps(record))
