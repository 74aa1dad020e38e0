"""Loading encoders, and which encoder may serve which generator."""

from __future__ import annotations

from pathlib import Path

from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.systems.invert.encoder import PspEncoder
from triptych.weights import load_network

DEFAULT_ENCODER = "avatar-psp"
DEFAULT_BASELINE = "avatar-psp-baseline"
"""pSp for the same generator: one step, no camera; only evaluations use it."""


def load_encoder(name_or_path: str | Path = DEFAULT_ENCODER) -> PspEncoder:
    """Return a 3DpSp encoder; see `weights.load_network`."""
    return load_network(name_or_path, "encoder")


def baseline_for(encoder: str, asked: str | None) -> str | None:
    """Return the pSp encoder to compare with: the one asked for, or the embedded encoder's own."""
    return DEFAULT_BASELINE if asked is None and encoder == DEFAULT_ENCODER else asked


def check_encoder(model: str | Path, encoder: str | Path) -> None:
    """Raise UserError for the embedded encoder with another generator than its own."""
    if encoder == DEFAULT_ENCODER and model not in ("avatar", "avatar-generator"):
        raise UserError(
            f"the encoder '{encoder}' belongs to the embedded generator, not to '{model}'; name "
            "that one's own: --encoder FILE"
        )


def check_fit(encoder: PspEncoder, generator: TriPlaneGenerator) -> None:
    """Raise UserError unless an encoder makes the style codes that a generator takes."""
    given = (encoder.config.num_ws, encoder.config.w_dim)
    taken = (generator.num_ws, generator.config.w_dim)
    if given != taken:
        raise UserError(
            f"the encoder makes {given[0]} style codes of {given[1]}, the generator takes "
            f"{taken[0]} of {taken[1]}; use the encoder that was trained for it"
        )
