"""`triptych download`: an official model by name, once its licence is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from triptych.cli.options import MaybePath
from triptych.errors import UserError
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.weights.download import Downloaded
    from triptych.weights.registry import ModelEntry


@dataclass(frozen=True)
class Download:
    """Download an official model from its publisher; an interrupted download is resumed.

    Nothing is downloaded before you accept the model's licence. EG3D's checkpoints are then
    converted, without running any code in them, to files that every verb opens by name.
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """A model of origin "official" in `triptych models`."""
    accept_licence: bool = False
    """You have read the model's licence and accept it."""
    to: MaybePath = None
    """Folder for the files; by default where the other verbs find the model by its name."""

    def run(self) -> None:
        """Do the work."""
        from triptych.weights.registry import find

        entry = find(self.name)
        if entry.origin == "embedded":
            raise UserError(f"{entry.name} is part of triptych; there is nothing to download")
        self._check_licence(entry)
        if entry.repository is not None:
            self._fetch_repository(entry)
            return
        folder = entry.path.parent if self.to is None else self.to
        ready = folder / entry.file
        if ready.is_file():
            console.note(f"{ready} exists already; nothing to do")
        else:
            downloaded = _fetch(entry, folder)
            _convert(entry, downloaded.path, ready)
        console.result(str(ready))

    def _check_licence(self, entry: ModelEntry) -> None:
        if not self.accept_licence:
            raise UserError(
                f"{entry.name} comes under the {entry.licence}; read it at {entry.licence_page}; "
                "add --accept-licence if you accept it"
            )

    def _fetch_repository(self, entry: ModelEntry) -> None:
        from triptych.editors.files import editor_folder

        assert entry.repository is not None
        if self.to is not None:
            raise UserError(f"--to: {entry.name} is kept in the hub's own cache; leave --to out")
        console.result(str(editor_folder(entry.repository, allow_download=True)))


def _fetch(entry: ModelEntry, folder: Path) -> Downloaded:
    """Download the publisher's file and show the progress."""
    from triptych.weights.download import DownloadError, download
    from triptych.weights.registry import by_hand

    assert entry.published is not None
    stage = f"downloading {entry.published.name} (MB)"
    try:
        with console.stages() as report:

            def progress(done: int, total: int) -> None:
                # While the length is unknown, the total stays ahead of what is here.
                report(stage, done // 10**6, (total or done + 10**6) // 10**6)

            downloaded = download(entry.published, folder, progress=progress)
    except DownloadError as error:
        raise UserError(f"{error}; {by_hand(entry)}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "stopped; what is here is kept, and the same command resumes there"
        ) from None
    if downloaded.checked:
        console.note(f"length and hash are as {entry.published.stated_by} states")
    else:
        console.warn(
            f"no public page states the hash of {entry.published.name}; it was not checked: "
            f"SHA-256 {downloaded.sha256}"
        )
    return downloaded


def _convert(entry: ModelEntry, checkpoint_file: Path, ready: Path) -> None:
    """Convert a downloaded checkpoint to a file that every verb opens; run nothing in it."""
    from triptych.weights.conversion import open_checkpoint, save_converted

    converted = open_checkpoint(checkpoint_file)
    if converted.config != entry.expected_config():
        console.warn(
            f"the settings in {checkpoint_file.name} are not those expected of {entry.name}; "
            f"they are kept: see triptych convert {checkpoint_file} OUT.safetensors"
        )
    save_converted(converted, ready)
    console.note(f"converted {checkpoint_file}, which may be removed now, to {ready}")
