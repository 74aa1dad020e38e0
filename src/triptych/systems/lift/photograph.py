"""What a photo says about a likeness: colours, outline and landmarks, in one camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.ops.colour import to_uint8
from triptych.systems.lift.landmarks import LandmarkFinder
from triptych.systems.lift.pinhole import FloatArray, Pinhole
from triptych.systems.lift.silhouette import Mask, person_of

_LEAST_PERSON = 0.05  # of the crop
_NOTED_CUT, _MOST_CUT = 0.01, 0.1  # of the landmarks: beyond it an eye or the brows are missing
_PAPER = 220  # of 255: three quarters of a line drawing are as bright


@dataclass(frozen=True, eq=False)
class Photograph:
    """An aligned photo that is measured.

    Attributes:
        colours: Its pixels [s, s, 3] in [0, 1].
        camera: Its camera, one view.
        landmarks: Landmarks [k, 3] in pixels: x, y, depth.
        person: The person's pixels [s, s], one solid part.
        inside: Pixels that show the photo, not what was laid round it [s, s].
    """

    colours: FloatArray
    camera: Camera
    landmarks: FloatArray
    person: Mask
    inside: Mask

    @classmethod
    def measured(
        cls,
        image: Tensor,
        camera: Camera,
        foreground: Tensor,
        finder: LandmarkFinder,
        inside: Mask | None = None,
    ) -> Photograph:
        """Measure an aligned picture.

        Args:
            image: Square picture [1, 3, s, s] in [-1, 1].
            camera: Its camera, one view.
            foreground: How surely each pixel is the person's [1, 1, s, s].
            finder: Finds the landmarks.
            inside: Pixels that show the photo [s, s]; all by default.

        Raises:
            UserError: No face or no person is found in it, the photo's edge cuts the face, or it is
                a line drawing.
        """
        pixels = to_uint8(image.detach().cpu())[0].numpy()
        landmarks = finder(pixels)
        if landmarks is None:
            raise UserError(
                "no landmarks are found on the face; expected a face that is in view from brow to "
                "chin and not covered; use another photo, or triptych invert, which makes an "
                "avatar of paintings too"
            )
        inside = np.ones(pixels.shape[:2], bool) if inside is None else inside
        person = person_of(foreground[0, 0].detach().cpu().double().numpy())
        if person.mean() < _LEAST_PERSON:
            raise UserError(
                "no person is found round the face; expected one before a background that "
                "differs; use another photo"
            )
        photo = cls(pixels / 255.0, camera, landmarks, person, inside)
        photo._check_face()
        return photo

    @property
    def share_cut(self) -> float:
        """Share of the face's landmarks that lie beside the photo."""
        return float(1 - self.shows(self.landmarks[:, :2]).mean())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the face."""
        cut = self.share_cut
        if cut < _NOTED_CUT:
            return ()
        return (f"the photo's edge cuts off {cut:.0%} of the face: it is guessed",)

    @property
    def size(self) -> int:
        """Side in pixels."""
        return self.colours.shape[0]

    def shows(self, pixels: FloatArray) -> Mask:
        """Say which pixel positions [n, 2] lie in the photo, not beside it [n]."""
        column, row = np.clip(pixels, 0, self.size - 1).astype(int).T
        within = ((pixels >= 0) & (pixels < self.size)).all(axis=1)
        return within & self.inside[row, column]

    @property
    def pinhole(self) -> Pinhole:
        """Its camera in pixels."""
        return Pinhole.of(self.camera, self.size)

    @property
    def image(self) -> Tensor:
        """The picture [1, 3, s, s] in [-1, 1]."""
        return torch.from_numpy(self.colours * 2 - 1).float().permute(2, 0, 1)[None]

    def person_over(self, background: float) -> Tensor:
        """Return its person over a plain background of that value [1, 3, s, s] in [-1, 1]."""
        person = torch.from_numpy(self.person)[None, None].float()
        return self.image * person + background * (1 - person)

    def _check_face(self) -> None:
        """Refuse a face of which too much is missing, and one that is drawn in lines."""
        cut = self.share_cut
        if cut > _MOST_CUT:
            raise UserError(
                f"the photo's edge cuts off {cut:.0%} of the face; expected at most "
                f"{_MOST_CUT:.0%}; use another photo, or triptych invert, which makes an avatar"
            )
        dark = 255 * np.percentile(self.colours[self.person].mean(axis=1), 25)
        if dark > _PAPER:
            raise UserError(
                f"three quarters of the person are brighter than {dark:.0f} of 255, as in a line "
                f"drawing; expected less than {_PAPER}; use a photo, or triptych invert, which "
                "makes an avatar of drawings too"
            )
