"""`triptych data edit-pairs`: heads before and after an edit, in 3DPE's published layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.options import DeviceName, MaybeName, MaybePath
from triptych.errors import UserError
from triptych.runs import console

if TYPE_CHECKING:
    import torch

    from triptych.systems.edit.data.writing import Edits, Originals


@dataclass(frozen=True)
class EditPairs:
    """Write pictures before and after edits, as the training of 3DPE reads them.

    BUCKET/ID.png is an original, BUCKET_STYLE/ID.png the same one edited, dataset.json holds the
    cameras of the originals. Edited avatars are rendered in the style; or an image editor
    edits the avatars, or the pictures of a folder. A stopped run continues.
    """

    out: Path
    """Folder of the set."""
    styles: tuple[str, ...]
    """Styles of the catalogue, or words for the editor: bronze "a zombie"."""
    count: int = 1000
    """Number of avatars."""
    size: int = 512
    """Side of the pictures of avatars in pixels."""
    seed: int = 100_000
    """Seed of the first avatar; seeds below 100000 are reserved for users and tests."""
    pictures: MaybePath = None
    """Folder of aligned pictures with dataset.json to edit, instead of avatars."""
    editor: MaybeName = None
    """Image editor that makes the edits: a name from `triptych models`, or a folder."""
    edit_seed: int = 0
    """Seed of the editor's noise."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace another set in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.runs.device import choose_device
        from triptych.systems.edit.data.writing import style_folders, write_edit_pairs

        style_folders(self.styles)
        originals, edits, plan = self._parts(choose_device(self.device))
        with console.progress("heads", len(originals)) as step:
            write_edit_pairs(
                self.out,
                originals,
                edits,
                self.styles,
                plan,
                overwrite=self.overwrite,
                step=step,
            )
        console.result(str(self.out))

    def _parts(self, device: torch.device) -> tuple[Originals, Edits, dict[str, Any]]:
        from triptych.avatars.sets.true_heads import AvatarHeads
        from triptych.avatars.styles.catalogue import style_named
        from triptych.editors.image_editor import EditRequest
        from triptych.editors.loading import editor_hash, load_editor
        from triptych.photos.labelled_images import LabelledImages
        from triptych.systems.edit.data.writing import (
            AvatarOriginals,
            EditorEdits,
            FolderOriginals,
        )

        avatars, originals = None, None
        plan: dict[str, Any] = {"editor": None}
        if self.pictures is None:
            avatars = AvatarOriginals(AvatarHeads(self.pack), self.seed, self.count, self.size)
            plan |= {"seed": self.seed, "count": self.count, "size": self.size}
        else:
            if self.editor is None:
                raise UserError("--pictures: their edits need an image editor; add --editor NAME")
            originals = FolderOriginals(LabelledImages(self.pictures))
            plan |= {"pictures": str(self.pictures.resolve())}
        if self.editor is None:
            assert avatars is not None
            for style in self.styles:
                style_named(style)
            return avatars, avatars, plan
        for style in self.styles:
            EditRequest(style, self.edit_seed)
        editor = load_editor(self.editor).to(device)
        plan |= {"editor": editor_hash(self.editor), "edit_seed": self.edit_seed}
        chosen = originals or avatars
        assert chosen is not None
        return chosen, EditorEdits(editor, self.edit_seed), plan
