"""The table of verbs: module and help line of each, without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VerbEntry:
    """One line of the table."""

    module: str
    """Module under triptych.cli that is imported only when its verb is called."""
    class_name: str
    """Frozen dataclass in it: fields are options, `run()` does the work."""
    help: str
    """One line for `triptych --help`."""


VERBS: dict[str, VerbEntry] = {
    "stylize": VerbEntry(
        "stylize", "Stylize", "text -> stylised 3D portrait, with video, mesh and pictures"
    ),
    "generate": VerbEntry("generate", "Generate", "seeds -> plain 3D portraits"),
    "compose": VerbEntry(
        "compose", "Compose", "seeds + regions -> 3D portraits whose parts can be swapped"
    ),
    "render": VerbEntry("render", "Render", "portrait + camera -> one picture"),
    "export": VerbEntry(
        "export",
        "Export",
        "portrait -> live page (.html), mesh (.glb .ply .obj .usdz), splats, video, views",
    ),
    "view": VerbEntry("view", "View", "open a portrait in the browser and turn it there"),
    "studio": VerbEntry(
        "studio", "Studio", "make, style and export portraits in the browser; an HTTP API too"
    ),
    "lift": VerbEntry("lift", "Lift", "photo -> likeness in 3D, with video, mesh and pictures"),
    "invert": VerbEntry(
        "invert", "Invert", "photo -> the most similar head that a generator can make, in 3D"
    ),
    "align": VerbEntry("align", "Align", "photo -> upright crop and its camera"),
    "edit": VerbEntry("edit", "Edit", "photo + words or a picture -> edited 3D portrait"),
    "edit-style": VerbEntry(
        "edit_style",
        "EditStyle",
        "a few pairs, before and after -> a custom edit for triptych edit",
    ),
    "adapt": VerbEntry("adapt", "Adapt", "a few artworks -> a style pack for all heads"),
    "models": VerbEntry(
        "models", "Models", "list embedded and official models with licences and sizes"
    ),
    "download": VerbEntry(
        "download", "Download", "an official model by name, once its licence is accepted"
    ),
    "convert": VerbEntry(
        "convert", "Convert", "a published checkpoint -> a safe file, running none of its code"
    ),
    "train": VerbEntry("train", "Train", "train a network by its recipe"),
    "data": VerbEntry("data", "Data", "make data sets of avatars and photos"),
    "evaluate": VerbEntry("evaluate", "Evaluate", "measure a model and write a report"),
}
