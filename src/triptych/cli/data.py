"""`triptych data`: build the head asset pack, write avatar data sets, shards, aligned photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from triptych.cli.edit_pairs import EditPairs
from triptych.cli.options import MaybeNames, MaybePath
from triptych.cli.prepare import Prepare
from triptych.cli.prior_renders import PriorRenders
from triptych.cli.region_sets import RegionSets
from triptych.runs import console
from triptych.seeds import check_seed


@dataclass(frozen=True)
class MakeHuman:
    """Build the head asset pack from checkouts of the two public MakeHuman repositories.

    The checkouts, whose meshes are CC0 (git-lfs is not needed):

    git clone https://github.com/makehumancommunity/makehuman

    git clone https://github.com/makehumancommunity/makehuman-assets
    """

    sources: Annotated[tuple[Path, Path], tyro.conf.arg(name="from", metavar="DIR DIR")]
    """The two checkouts, in either order."""
    out: MaybePath = None
    """The .npz file to write; by default the one that other commands read."""

    def run(self) -> None:
        """Do the work."""
        from triptych.avatars.assets.makehuman import build_asset_pack
        from triptych.avatars.assets.makehuman_sources import num_parts
        from triptych.avatars.assets.pack import default_pack_path
        from triptych.files import make_writable_folder

        out = self.out or default_pack_path()
        make_writable_folder(out.parent)
        with console.progress("reading", num_parts(self.sources)) as step:
            summary = build_asset_pack(self.sources, out, progress=lambda part: step())
        console.note(
            f"{summary.num_targets} morph targets, {summary.num_fitted} fitted meshes, "
            f"{summary.num_vertices} base vertices"
        )
        console.result(str(out))


@dataclass(frozen=True)
class Avatars:
    """Write synthetic heads as an EG3D-format data set with region maps.

    OUT/images is the data set (pictures and dataset.json), OUT/regions holds a region map per
    picture, OUT/heads.json the seed and style of every head. A stopped run continues.
    """

    count: int
    """Number of heads."""
    out: Path
    """Folder of the data set."""
    views: int = 8
    """Pictures per head."""
    size: int = 256
    """Side of the pictures in pixels."""
    seed: int = 100_000
    """Seed of the first head; seeds below 100000 are reserved for users and tests."""
    styles: MaybeNames = ()
    """Draw a style per head from these, for instance: original bronze "old+elf"."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    overwrite: bool = False
    """Replace another data set in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.avatars.sets.dataset import write_avatar_dataset

        with console.stages() as report:
            write_avatar_dataset(
                self.out,
                self.count,
                self.views,
                self.size,
                self.seed,
                self.styles,
                self.overwrite,
                pack=self.pack,
                progress=lambda done, total: report("heads", done, total),
            )
        console.result(str(self.out))


@dataclass(frozen=True)
class Shards:
    """Render heads into the memory-mapped shards that the training recipes read."""

    out: Path
    """Folder of the shards; finished shards in it are kept."""
    count: int = 1000
    """Number of heads."""
    seed: int = 100_000
    """Seed of the first head; seeds below 100000 are reserved for users and tests."""
    views: int = 6
    """Cameras per head."""
    variants: int = 1
    """Style variants per head: the original and randomly drawn styles."""
    size: int = 128
    """Side of the pictures in pixels."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""

    def run(self) -> None:
        """Do the work."""
        from triptych.avatars.sets.shards import ShardPlan, write_shards
        from triptych.errors import check_range
        from triptych.files import make_writable_folder

        check_range("--count", self.count, 1, 10_000_000)
        check_range("--views", self.views, 1, 1000)
        check_range("--variants", self.variants, 1, 50)
        check_range("--size", self.size, 16, 1024)
        check_seed("--seed", self.seed)
        make_writable_folder(self.out)
        plan = ShardPlan(
            first_seed=self.seed,
            num_heads=self.count,
            num_views=self.views,
            num_variants=self.variants,
            size=self.size,
        )
        with console.stages() as report:
            write_shards(
                self.out,
                plan,
                pack=self.pack,
                progress=lambda done, total: report("heads", done, total),
            )
        console.result(str(self.out))


@dataclass(frozen=True)
class Data:
    """Build the head asset pack, write avatar data sets, training shards and aligned photos."""

    command: tyro.conf.OmitSubcommandPrefixes[
        Annotated[MakeHuman, tyro.conf.subcommand("makehuman")]
        | Annotated[Avatars, tyro.conf.subcommand("avatars")]
        | Annotated[Shards, tyro.conf.subcommand("shards")]
        | Annotated[PriorRenders, tyro.conf.subcommand("prior-renders")]
        | Annotated[RegionSets, tyro.conf.subcommand("regions")]
        | Annotated[EditPairs, tyro.conf.subcommand("edit-pairs")]
        | Annotated[Prepare, tyro.conf.subcommand("prepare")]
    ]

    def run(self) -> None:
        """Do the work of the chosen command."""
        self.command.run()
