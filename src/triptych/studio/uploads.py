"""Photos that browsers send: limited in bytes and type, decoded elsewhere, kept as clean PNG."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import UserError
from triptych.studio.child import Child, ChildEnded
from triptych.studio.workplace import Workplace, new_id

MOST_BYTES = 20 << 20
DECODING_SECONDS = 30.0
STARTING_SECONDS = 120.0

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_ISO_BRANDS = (b"avif", b"heic", b"heix", b"mif1", b"msf1")
TYPES = "JPEG, PNG, WebP, AVIF or HEIC"


class TooLarge(UserError):
    """An upload has more bytes than are taken."""


class NoPicture(UserError):
    """An upload is no picture of a kind that is taken."""


@dataclass(frozen=True)
class Upload:
    """A photo that was taken in.

    Attributes:
        id: Its name.
        width, height: Its size in pixels.
        notes: What was done to it.
    """

    id: str
    width: int
    height: int
    notes: tuple[str, ...] = ()


def looks_like_a_picture(start: bytes) -> bool:
    """Say whether the first bytes are those of a picture that is taken."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return True
    return start.startswith(_STARTS) or (start[4:8] == b"ftyp" and start[8:12] in _ISO_BRANDS)


class Uploads:
    """Takes photos in.

    Args:
        workplace: Where they are kept.
        decoding_s: Seconds after which decoding is given up.
    """

    def __init__(self, workplace: Workplace, *, decoding_s: float = DECODING_SECONDS) -> None:
        self._workplace, self._decoding_s = workplace, decoding_s
        self._lock = threading.Lock()
        self._decoder: Child | None = None

    async def receive(self, body: AsyncIterator[bytes]) -> str:
        """Write an upload to disk as it comes; returns its name.

        Raises:
            TooLarge: It has too many bytes.
            NoPicture: Its first bytes are those of nothing that is taken.
        """
        name = new_id()
        raw, size, start = self._workplace.raw_upload(name), 0, b""
        try:
            with open(raw, "xb") as stream:
                async for piece in body:
                    size += len(piece)
                    if size > MOST_BYTES:
                        raise TooLarge(
                            f"the picture has more than {MOST_BYTES >> 20} MB; make it smaller"
                        )
                    if len(start) < 12 <= len(start := (start + piece)[:64]):
                        _check_start(start)
                    stream.write(piece)
            _check_start(start)
        except BaseException:
            with suppress(OSError):
                raw.unlink()
            raise
        return name

    def decode(self, name: str) -> Upload:
        """Decode what was received; the received bytes are removed, whatever comes of it.

        Raises:
            NoPicture: It is no picture, or decoding takes too long.
        """
        raw, target = self._workplace.raw_upload(name), self._workplace.upload(name)
        try:
            with self._lock:
                answer = self._ask({"source": str(raw), "target": str(target)})
        finally:
            with suppress(OSError):
                raw.unlink()
        if "error" in answer:
            raise NoPicture(answer["error"])
        self._workplace.prune()
        return Upload(name, answer["width"], answer["height"], tuple(answer["notes"]))

    def find(self, name: str) -> Path:
        """Return the picture of a photo.

        Raises:
            UserError: It is not here.
        """
        file = self._workplace.upload(name)
        if not file.is_file():
            raise UserError("the photo is no longer here; upload it again")
        return file

    def close(self) -> None:
        """End the decoder."""
        with self._lock:
            self._stop()

    def _ask(self, message: dict[str, str]) -> dict:
        try:
            if self._decoder is None:
                self._decoder = Child("triptych.studio.decoder")
                if self._decoder.receive(STARTING_SECONDS) is None:
                    raise ChildEnded("it does not start")
            self._decoder.send(message)
            answer = self._decoder.receive(self._decoding_s)
        except ChildEnded as error:
            self._stop()
            raise NoPicture("the picture could not be decoded: it ends the decoder") from error
        except BaseException:
            self._stop()
            raise
        if answer is None:
            self._stop()
            raise NoPicture(f"the picture takes more than {self._decoding_s:.0f} s to decode")
        return answer

    def _stop(self) -> None:
        if self._decoder is not None:
            self._decoder.kill()
            self._decoder = None


def _check_start(start: bytes) -> None:
    if not looks_like_a_picture(start):
        raise NoPicture(f"the file is no picture that is taken here; expected {TYPES}")
