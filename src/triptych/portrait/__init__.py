"""Portrait and View: what every system makes, the file of each kind, the prepared fast renderer."""

from triptych.portrait.portrait import Portrait
from triptych.portrait.triplane_portrait import TriPlanePortrait
from triptych.portrait.view import View

__all__ = ["Portrait", "TriPlanePortrait", "View"]
