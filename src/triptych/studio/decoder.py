"""A child process that decodes uploads: pictures in, clean PNG files out.

Pixels alone survive: whatever else was in an upload is not in the file that the studio keeps.
Address space is limited, and the parent kills a decoder that takes too long.
"""

from __future__ import annotations

import os
from pathlib import Path

from triptych.errors import UserError
from triptych.files import atomic_write
from triptych.studio.child_side import Line, messages
from triptych.studio.job import words_of

_MORE_MEMORY = 3 << 30


def main() -> None:
    """Decode until the parent is gone."""
    line = Line()
    from PIL import Image

    from triptych.photos.photo import read_photo

    _limit_memory()
    line.send(ready=True)
    for message in messages(at_end=lambda: os._exit(0)):
        source, target = Path(message["source"]), Path(message["target"])
        try:
            photo = read_photo(source)
            with atomic_write(target) as stream:
                Image.fromarray(photo.pixels).save(stream, "PNG", compress_level=1)
        except UserError as error:
            line.send(error=str(error).replace(str(source), "the file"))
        except OSError as error:
            line.send(error=words_of(error))
        except MemoryError:
            line.send(error="the picture is too large for this machine; make it smaller first")
        else:
            height, width = photo.pixels.shape[:2]
            line.send(width=width, height=height, notes=list(photo.notes))


def _limit_memory() -> None:
    """Let a picture take so much memory and no more, where the system can say so."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    import psutil

    limit = psutil.Process().memory_info().vms + _MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
