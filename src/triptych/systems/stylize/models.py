"""Finding the models that stylising needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triptych.editors.image_editor import ImageEditor
from triptych.errors import UserError
from triptych.files import sha256_of
from triptych.models.eg3d import TriPlaneGenerator
from triptych.photos.matting import HeadMatting
from triptych.systems.stylize.fitting import Perceptual
from triptych.systems.stylize.image_to_triplane import ImageToTriplane
from triptych.weights import load_features, load_generator, load_network, read_header
from triptych.weights.registry import find_present

_EDITOR = "avatar-editor"


@dataclass(frozen=True, eq=False)
class StylizeModels:
    """The models and the hash of each one's weights.

    Not every generator has an I2T network, and only avatars stand before a plain background.
    """

    generator: TriPlaneGenerator
    image_to_triplane: ImageToTriplane | None
    perceptual: Perceptual
    cutout: HeadMatting | None
    editor: ImageEditor | None
    hashes: dict[str, str]


def load_image_to_triplane(name_or_path: str | Path = "avatar-i2t") -> ImageToTriplane:
    """Return an Image-to-Triplane network; see `weights.load_network`."""
    return load_network(name_or_path, "image-to-triplane")


def stylize_models(model: str | Path, *, with_editor: bool) -> StylizeModels:
    """Load the embedded models ("avatar"), those of a folder, or a generator of its own.

    Args:
        model: "avatar", a folder, or the file of a generator, which is used with the embedded
            features and editor.
        with_editor: Load the editor too.

    Raises:
        UserError: A model is missing or broken.
    """
    from triptych.metrics.perceptual import AvatarPerceptualDistance

    if model == "avatar" or Path(model).is_file():
        files = {"features": find_present("avatar-features", "features")}
        if model == "avatar":
            files["generator"] = find_present("avatar-generator", "generator")
            files["image_to_triplane"] = find_present("avatar-i2t", "image-to-triplane")
        else:
            files["generator"] = Path(model)
        editor_folder = find_present(_EDITOR, "editor") if with_editor else None
        editor_name: str | None = _EDITOR
    else:
        folder = Path(model)
        if not folder.is_dir():
            raise UserError(
                f"model: got '{model}'; expected 'avatar' or a folder of models, or the file of "
                "a generator"
            )
        files = {
            "generator": folder / "generator.safetensors",
            "image_to_triplane": folder / "i2t.safetensors",
            "features": folder / "features.safetensors",
        }
        editor_folder = folder / "editor" if with_editor else None
        editor_name = None
    hashes = {name: read_header(file).sha256 for name, file in files.items()}
    if editor_folder is not None:
        if not editor_folder.is_dir():
            raise UserError(f"{editor_folder} is missing; put an editor there, or name another one")
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
        cutout=HeadMatting(features, background) if of_avatars else None,
        editor=_editor(editor_folder, editor_name) if editor_folder else None,
        hashes=hashes,
    )


def _editor(folder: Path, name: str | None) -> ImageEditor:
    from triptych.editors.instruct_pix2pix import InstructPix2PixEditor

    return InstructPix2PixEditor.from_pretrained(folder, name=name)
