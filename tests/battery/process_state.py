"""What a library must leave as it is in the process that calls it."""

from __future__ import annotations

import os
import random
import warnings

import numpy as np
import torch


def process_state() -> dict[str, object]:
    """Return modes, sources of random numbers, threads, folder, environment, warning filters."""
    return {
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "draws of torch": torch.get_rng_state().numpy().tobytes(),
        "draws of numpy": np.random.get_state()[1].tobytes(),  # noqa: NPY002 - the global one
        "draws of python": random.getstate(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "working folder": os.getcwd(),
        "environment": dict(os.environ),
        "warning filters": list(warnings.filters),
    }
