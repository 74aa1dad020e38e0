"""`triptych view`: a portrait in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from triptych.cli.options import MaybeName, MaybePath
from triptych.files import check_output_file
from triptych.runs import console


@dataclass(frozen=True)
class View:
    """Open a portrait in the browser and turn it there.

    The page is one file, which works without this program.
    """

    portrait: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PORTRAIT")]
    """A portrait file (.safetensors), which other verbs make."""
    out: MaybePath = None
    """Page to write (.html); by default a file in the cache folder."""
    title: MaybeName = None
    """Title of the page; the prompt or the seed by default."""
    overwrite: bool = False
    """Replace the page if it exists."""

    def run(self) -> None:
        """Do the work."""
        if self.out is not None:
            check_output_file(self.out, (".html",), overwrite=self.overwrite)
        from triptych.export.html.page import save_page
        from triptych.portrait import Portrait
        from triptych.runs.pages import cached_page, open_page

        portrait = Portrait.load(self.portrait)
        file = cached_page(self.portrait) if self.out is None else self.out
        with console.stages() as progress:
            save_page(file, portrait, title=self.title, progress=progress)
        console.result(str(file))
        open_page(file)
