"""`triptych train`: train one of the embedded models."""

from __future__ import annotations

import dataclasses
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from triptych.cli.options import (
    DeviceName,
    KeyValues,
    MaybeFloat,
    MaybeInt,
    MaybePath,
    parse_key_values,
)
from triptych.errors import UserError, check_range
from triptych.files import make_writable_folder, write_json
from triptych.folder_lock import FolderLock
from triptych.runs import console


@dataclass(frozen=True)
class Train:
    """Train a network by its recipe; see docs/training.md for data and settings.

    Several processes: torchrun --nproc_per_node 2 -m triptych train ...
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """Recipe: generator, features, classifier, editor-vae, editor, editor-pixels, i2t, landmarks,
    composer, composer-decoder, compose, psp, live3d, edit, live3d-avatars,
    edit-avatars, adapt or adapt-avatars."""
    stage: Annotated[Literal[1, 2] | None, tyro.conf.arg(metavar="1|2", help_behavior_hint="")] = (
        None
    )
    """Which of the two stages of compose: 1 is the volume, 2 the decoder."""
    minutes: MaybeFloat = None
    """Wall-clock budget; this or --steps is needed."""
    steps: MaybeInt = None
    """Optimiser steps of this run."""
    run_dir: MaybePath = None
    """Folder for checkpoint, metrics and sheets; runs/NAME by default."""
    out: MaybePath = None
    """File or folder of the trained weights; RUN_DIR/NAME.safetensors by default, or RUN_DIR/NAME/
    for recipes that write a folder."""
    set: KeyValues = ()
    """Recipe and loop options as KEY=VALUE, for instance batch_heads=4 learning_rate=0.001."""
    device: DeviceName = "auto"
    resume: bool = False
    """Continue from the checkpoint in the run folder; without it the folder must hold none."""

    def run(self) -> None:
        """Do the work."""
        if self.minutes is None and self.steps is None:
            raise UserError("training needs a budget: give --minutes or --steps")
        if self.minutes is not None:
            check_range("--minutes", self.minutes, 0.0, 100_000)
        if self.steps is not None:
            check_range("--steps", self.steps, 1, 100_000_000)
        from triptych.runs.device import choose_device
        from triptych.training.loop import train
        from triptych.training.recipes import recipe_module, recipe_name

        name = recipe_name(self.name, self.stage)
        module = recipe_module(name)
        loop, options = _with_settings(module.LOOP, module.Options(), self.set)
        device = choose_device(self.device)
        options = dataclasses.replace(options, device=str(device))
        loop = dataclasses.replace(loop, minutes=self.minutes, steps=self.steps)
        run_dir = self.run_dir or Path("runs") / name
        if (run_dir / "checkpoint.pt").exists() and not self.resume:
            raise UserError(
                f"{run_dir} holds a checkpoint; add --resume to continue, or choose another "
                "--run-dir"
            )
        make_writable_folder(run_dir)
        is_first_process = os.environ.get("RANK", "0") == "0"  # as torchrun numbers them
        with FolderLock(run_dir) if is_first_process else nullcontext():
            write_json(
                run_dir / "settings.json",
                {"recipe": name, "set": list(self.set), "device": str(device)},
            )
            recipe = module.build(options)
            result = train(recipe, loop, run_dir, resume=self.resume, report=console.note)
            suffix = "" if getattr(module, "WRITES_FOLDER", False) else ".safetensors"
            out = self.out or run_dir / f"{name}{suffix}"
            if result.is_main:
                module.export(recipe, result, out)
                console.result(str(out))


def _with_settings(loop: Any, options: Any, settings: tuple[str, ...]) -> tuple[Any, Any]:
    """Return loop and recipe options changed by KEY=VALUE texts.

    Raises:
        UserError: A text is not KEY=VALUE, or neither of the two has such a key.
    """
    from triptych.config import from_dict, to_dict

    loop_values, option_values = to_dict(loop), to_dict(options)
    for key, value in parse_key_values(settings).items():
        target = loop_values if key in loop_values else option_values
        target[key] = value
    return from_dict(type(loop), loop_values), from_dict(type(options), option_values)
