"""The models that stylising needs: the embedded ones, those of a folder, or a user's generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triptych.editors.image_editor import ImageEditor
from triptych.errors import UserError
from triptych.files import sha256_of
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.models.eg3d import TriPlaneGenerator
from triptych.photos.matting import HeadMatting
from triptych.systems.stylize.fitting import Perceptual
from triptych.systems.stylize.image_to_triplane import ImageToTriplane
from triptych.weights import load_features, load_generator, load_network, read_header
from triptych.weights.registry import MODELS, find_present, weight_file

EMBEDDED = {
    "generator": "avatar-generator",
    "image_to_triplane": "avatar-i2t",
    "features": "avatar-features",
    "editor": "avatar-editor",
}
"""Names of the embedded models by what they are for."""


@dataclass(frozen=True, eq=False)
class StylizeModels:
    """The models and the hash of each one's weights.

    Attributes:
        generator: The prior.
        image_to_triplane: The network H; None where the generator has none.
        perceptual: Perceptual distance.
        matting: Separates avatars from their background; None for priors of another kind.
        editor: The model's own editor; None when it was left out.
        hashes: SHA-256 by what the model is for.
    """

    generator: TriPlaneGenerator
    image_to_triplane: ImageToTriplane | None
    perceptual: Perceptual
    matting: HeadMatting | None
    editor: ImageEditor | None
    hashes: dict[str, str]


def load_image_to_triplane(name_or_path: str | Path = "avatar-i2t") -> ImageToTriplane:
    """Return an Image-to-Triplane network; see `weights.load_network`."""
    return load_network(name_or_path, "image-to-triplane")


def stylize_models(model: str | Path, *, with_editor: bool) -> StylizeModels:
    """Load the embedded models ("avatar"), those of a folder, or a generator alone.

    Args:
        model: "avatar"; a folder; or a generator by its name in `triptych models` or its file,
            which is used without an Image-to-Triplane network and with the embedded features and
            editor.
        with_editor: Load the editor too.

    Raises:
        UserError: A model is missing or broken.
    """
    files, editor_folder, editor_name = _files_of(model)
    hashes = {name: read_header(file).sha256 for name, file in files.items()}
    editor = _editor(editor_folder, editor_name) if with_editor else None
    if with_editor:
        hashes["editor"] = sha256_of(editor_folder)
    generator, features = load_generator(files["generator"]), load_features(files["features"])
    of_avatars = generator.config.latent_kind == "attributes"
    background = generator.config.rendering.background
    return StylizeModels(
        generator=generator,
        image_to_triplane=(
            load_image_to_triplane(files["image_to_triplane"])
            if "image_to_triplane" in files
            else None
        ),
        perceptual=AvatarPerceptualDistance(features),
        matting=HeadMatting(features, background) if of_avatars else None,
        editor=editor,
        hashes=hashes,
    )


def _files_of(model: str | Path) -> tuple[dict[str, Path], Path, str | None]:
    """Return the weight files, the editor's folder, and the editor's name where it has one."""
    folder = Path(model)
    if folder.is_dir() and model != "avatar":
        files = {
            "generator": folder / "generator.safetensors",
            "image_to_triplane": folder / "i2t.safetensors",
            "features": folder / "features.safetensors",
        }
        return files, folder / "editor", None
    files = {"features": find_present(EMBEDDED["features"], "features")}
    if model == "avatar":
        files["generator"] = find_present(EMBEDDED["generator"], "generator")
        files["image_to_triplane"] = find_present(
            EMBEDDED["image_to_triplane"], "image-to-triplane"
        )
    elif folder.is_file() or str(model) in MODELS:
        files["generator"] = weight_file(model, "generator")
    else:
        raise UserError(
            f"model: got '{model}'; expected 'avatar' or a folder of models, or a generator's "
            "name or file"
        )
    return files, find_present(EMBEDDED["editor"], "editor"), EMBEDDED["editor"]


def _editor(folder: Path, name: str | None) -> ImageEditor:
    from triptych.editors.instruct_pix2pix import InstructPix2PixEditor

    if not folder.is_dir():
        raise UserError(f"{folder} is missing; put an editor there, or name another one")
    return InstructPix2PixEditor.from_pretrained(folder, name=name)
