"""Where the parts of the head asset pack lie in the two public MakeHuman repositories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from triptych.errors import UserError

BASE_MESH = Path("makehuman/data/3dobjs/base.obj")
TARGETS = Path("makehuman/data/targets")
FITTED = Path("base")
SHAPE_FOLDERS = (
    "asym", "cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck",
    "nose",
)  # fmt: skip
_HAIR = (
    "afro01", "bob01", "bob02", "braid01", "long01", "ponytail01",
    "short01", "short02", "short03", "short04",
)  # fmt: skip
_GARMENTS = (
    "female_casualsuit01", "female_elegantsuit01", "male_casualsuit01", "male_casualsuit02",
    "male_casualsuit03", "male_casualsuit04", "male_casualsuit05", "male_casualsuit06",
    "male_elegantsuit01",
)  # fmt: skip
ANCESTRIES = ("african", "asian", "caucasian")


def fitted_meshes() -> dict[str, Path]:
    """Return the pack name and the path (without suffix) of every fitted mesh that is packed."""
    meshes = {f"hair/{name}": FITTED / "hair" / name / name for name in _HAIR}
    for number in range(1, 13):
        name = f"eyebrow{number:03d}"
        meshes[f"brow/{name}"] = FITTED / "eyebrows" / name / name
    for number in range(1, 5):
        name = f"eyelashes{number:02d}"
        meshes[f"lash/{name}"] = FITTED / "eyelashes" / name / name
    for name in ("fedora", "fedora_cocked"):
        meshes[f"cloth/{name}"] = FITTED / "clothes" / "fedora01" / name
    for name in _GARMENTS:
        meshes[f"cloth/{name}"] = FITTED / "clothes" / name / name
    meshes["teeth"] = FITTED / "teeth" / "teeth_base" / "teeth_base"
    return meshes


def num_parts(folders: Sequence[str | Path]) -> int:
    """Return how many parts `build_asset_pack` will report from these folders.

    Raises:
        UserError: A repository or a folder of targets is missing.
    """
    program, _ = find_repositories(folders)
    return 1 + len(fitted_meshes()) + sum(1 for _ in target_files(program))


def find_repositories(folders: Sequence[str | Path]) -> tuple[Path, Path]:
    """Tell the program repository from the assets repository by what lies in them.

    Raises:
        UserError: There are not two folders, one does not exist, or one of the two is missing.
    """
    if len(folders) != 2:
        raise UserError(
            f"got {len(folders)} folders; expected two: checkouts of 'makehuman' and "
            "'makehuman-assets' (github.com/makehumancommunity)"
        )
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise UserError(f"no folder {path}; give the path of a repository checkout")
    program = next((path for path in paths if (path / BASE_MESH).is_file()), None)
    assets = next((path for path in paths if (path / FITTED / "hair").is_dir()), None)
    given = " and ".join(str(path) for path in paths)
    if program is None:
        raise UserError(f"no {BASE_MESH} in {given}; one must be a checkout of 'makehuman'")
    if assets is None:
        raise UserError(f"no {FITTED / 'hair'} in {given}; one must be 'makehuman-assets'")
    return program, assets


def target_files(program: Path) -> Iterator[tuple[str, Path]]:
    """Yield the pack name and file of every morph target that moves the head.

    Raises:
        UserError: A folder of targets is missing or empty.
    """
    for folder in SHAPE_FOLDERS:
        for path in _targets_in(program / TARGETS / folder, "*.target"):
            yield f"{folder}/{path.stem}", path
    for ancestry in ANCESTRIES:
        for path in _targets_in(program / TARGETS / "macrodetails", f"{ancestry}-*.target"):
            yield f"macro/{path.stem}", path
        units = program / TARGETS / "expression" / "units" / ancestry
        for path in _targets_in(units, "*.target"):
            yield f"expr/{ancestry}/{path.stem}", path
    for path in _targets_in(program / TARGETS / "macrodetails", "universal-*.target"):
        yield "univ/" + path.stem.removeprefix("universal-"), path


def _targets_in(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise UserError(f"no {pattern} in {folder}; expected the targets of a 'makehuman' checkout")
    return found
