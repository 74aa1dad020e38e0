"""Pictures into an H.264 film by the program ffmpeg, whose status and result are both checked.

Colours are converted by the matrix of ITU-R BT.709 into limited range, and the file says so (in the
stream and in the container). Without these tags players guess, by the size of the picture.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np

from triptych.errors import UserError

QUALITY = 18
"""x264's constant rate factor; 18 is hard to tell from the original."""
_TO_BT709 = (
    "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_inp,format=yuv420p,"
    "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
)
_LONGEST_COMPLAINT = 300


def find_ffmpeg() -> str:
    """Return the ffmpeg that writes videos: $IMAGEIO_FFMPEG_EXE, the bundled or the system's one.

    Raises:
        UserError: There is none.
    """
    import imageio_ffmpeg

    try:
        found = imageio_ffmpeg.get_ffmpeg_exe()
        if shutil.which(found):
            return found
        problem = f"{found} is no program that can be run"
    except RuntimeError:
        problem = "none was found"
    raise UserError(
        f"ffmpeg is missing, which writes videos ({problem}); pip install imageio-ffmpeg brings "
        "one, or set IMAGEIO_FFMPEG_EXE to the path of yours"
    )


def encode_h264(path: Path, frames: Iterable[np.ndarray], fps: int, quality: int = QUALITY) -> None:
    """Write frames as an H.264 film (.mp4, yuv420p, BT.709) whose index comes first.

    Args:
        path: File to write.
        frames: Pictures uint8 [h, w, 3] of one size, with even sides.
        fps: Frames per second.
        quality: Constant rate factor; see `QUALITY`.

    Raises:
        UserError: There are no frames, they differ in size, or ffmpeg is missing.
        OSError: ffmpeg failed; the message has what it said.
    """
    program = find_ffmpeg()
    pictures = _of_one_size(frames)
    first = next(pictures, None)
    if first is None:
        raise UserError("a video needs at least one frame")
    height, width = first.shape[:2]
    command = [program, "-y", "-v", "error", "-xerror"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps}"]
    command += ["-i", "-", "-an", "-vf", _TO_BT709, "-c:v", "libx264", "-crf", f"{quality}"]
    command += ["-movflags", "+faststart", f"file:{path}"]  # a name may begin with "-" or "http:"
    said = _feed(command, itertools.chain([first], pictures))
    if said is not None or not _index_comes_first(path):
        raise OSError(f"ffmpeg failed: {_one_line(said or 'the file is not whole')}")


def _of_one_size(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield frames as they are; ffmpeg would cut bytes of another form into false pictures."""
    shape: tuple[int, ...] | None = None
    for frame in frames:
        shape = shape or (*frame.shape[:2], 3)
        if frame.shape != shape or frame.dtype != np.uint8:
            raise UserError(
                f"frame of a video: got {frame.dtype} {list(frame.shape)}; "
                "expected uint8 [h, w, 3], all of one size"
            )
        yield frame


def _feed(command: list[str], frames: Iterable[np.ndarray]) -> str | None:
    """Run ffmpeg on frames; return None if it took them all and succeeded, else what it said."""
    with (
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Signals that Python ignores stay ignored: beyond a file limit ffmpeg then says why.
            restore_signals=False,
        ) as process,
        ThreadPoolExecutor(1) as beside,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        said = beside.submit(process.stderr.read)
        try:
            took_all = _write_all(process.stdin, frames)
        except BaseException:
            process.kill()
            raise
        finally:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if process.wait() == 0 and took_all:
            return None
        return said.result().decode("utf-8", "backslashreplace") or _ending(process.returncode)


def _write_all(stream: IO[bytes], frames: Iterable[np.ndarray]) -> bool:
    """Write frames until the reader is gone; return whether it took them all."""
    for frame in frames:
        try:
            stream.write(np.ascontiguousarray(frame).data)
            stream.flush()
        except OSError:
            return False
    return True


def _ending(status: int) -> str:
    if status < 0:
        return f"it was stopped by the signal {signal.strsignal(-status)}"
    return f"it ended with status {status} and no message"


def _one_line(said: str) -> str:
    """Return what ffmpeg said on one line, without its addresses in memory."""
    line = " ".join(re.sub(r"\[[^]]*@ 0x[0-9a-f]+\]", " ", said).split())
    return line if len(line) <= _LONGEST_COMPLAINT else line[:_LONGEST_COMPLAINT] + "..."


def _index_comes_first(path: Path) -> bool:
    """Return whether a file is whole: its boxes fill it, and the index is before the pictures."""
    try:
        kinds = list(_boxes(path))
    except (OSError, struct.error):
        return False
    return b"mdat" in kinds and b"moov" in kinds[: kinds.index(b"mdat")]


def _boxes(path: Path) -> Iterator[bytes]:
    """Yield the kinds of the outermost boxes of an MP4 file (ISO/IEC 14496-12, 4.2)."""
    length, start = path.stat().st_size, 0
    with path.open("rb") as stream:
        while start < length:
            stream.seek(start)
            size, kind = struct.unpack(">I4s", stream.read(8))
            if size == 1:
                size = struct.unpack(">Q", stream.read(8))[0]
            start += max(8, size or length - start)
            yield kind
    if start != length:
        raise struct.error("the last box is cut off")
