"""What every task works with: the gallery, the device, and how a portrait is put on show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.files import atomic_write
from triptych.runs import console
from triptych.studio.gallery import Gallery, PortraitRecord
from triptych.studio.job import now
from triptych.studio.workplace import PAGE_FILE, THUMBNAIL_FILE, Workplace

if TYPE_CHECKING:
    import numpy as np
    import torch

    from triptych.portrait import Portrait

_THUMBNAIL_SIZE = 256


@dataclass(frozen=True)
class Workshop:
    """Where tasks find things and leave them.

    Attributes:
        gallery: The portraits.
        device: Where networks compute.
    """

    gallery: Gallery
    device: torch.device

    @classmethod
    def open(cls, folder: Path, device: str) -> Workshop:
        """Return the workshop of a studio's folder; loads torch."""
        from triptych.runs.device import choose_device

        return cls(Gallery(Workplace(folder)), choose_device(device))

    @property
    def workplace(self) -> Workplace:
        """The studio's folder."""
        return self.gallery.workplace

    def show(
        self,
        name: str,
        *,
        title: str,
        kind: str,
        file: str | None = None,
        parent: str | None = None,
    ) -> None:
        """Put a portrait into the gallery, with its page and a small picture.

        Args:
            name: Identifier of the portrait, whose files are in its folder.
            title: What it is called.
            kind: Name of the task that made it.
            file: The portrait's file in the folder; the only one by default.
            parent: The portrait that it was made of.
        """
        from triptych.export.html.page import has_live_page, save_page
        from triptych.export.pictures import view_pictures
        from triptych.portrait import Portrait

        folder = self.workplace.portrait(name)
        chosen = folder / file if file else next(iter(sorted(folder.glob("*.safetensors"))))
        portrait: Portrait = Portrait.load(chosen, self.device)
        with console.progress("making the page", 1) as step:
            (picture,) = view_pictures(portrait, portrait.camera, _THUMBNAIL_SIZE)
            save_jpeg(folder / THUMBNAIL_FILE, picture)
            step()
        record = PortraitRecord(
            title=title,
            kind=kind,
            created=now(),
            file=chosen.name,
            parent=parent,
            notes=self._notes(folder),
            has_regions=bool(portrait.region_names),
            seed=_seed_of(portrait.provenance),
        )
        if not has_live_page(portrait):  # its page takes a minute: till then there is the picture
            self.gallery.add(name, replace(record, has_page=False))
        with console.stages() as progress:
            save_page(folder / PAGE_FILE, portrait, title=title, progress=progress)
        self.gallery.add(name, record)

    def _notes(self, folder: Path) -> tuple[str, ...]:
        from triptych.errors import UserError
        from triptych.files import read_json

        try:
            found: Any = read_json(folder / "run.json").get("notes", [])
        except (UserError, AttributeError):
            return ()
        return tuple(str(note) for note in found) if isinstance(found, list) else ()


def _seed_of(record: dict[str, Any]) -> int | None:
    """Return the seed of a head that the generator made and nobody changed."""
    plain = record.get("pipeline") == "generate" and "style" not in record
    return record["seed"] if plain and isinstance(record.get("seed"), int) else None


def save_jpeg(path: Path, pixels: np.ndarray) -> None:
    """Write a small picture uint8 [h, w, 3]."""
    from PIL import Image

    with atomic_write(path) as stream:
        Image.fromarray(pixels).save(stream, "JPEG", quality=88)
