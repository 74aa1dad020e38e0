"""`triptych studio`: make, style and export portraits in the browser."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from triptych.cli.options import DeviceName
from triptych.errors import check_range
from triptych.runs import console

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Studio:
    """Make, style and export portraits on a page in the browser, from seeds, words or photos.

    Everything stays on this machine, in one folder, which the gallery shows again the next time.
    Programs use the same queue by HTTP: see /api.
    """

    out: Path = Path("studio")
    """Folder for everything that is made."""
    host: str = "127.0.0.1"
    """Address to listen on; any other than loopback lets others use this machine."""
    port: int = 7860
    """Port; the next free one if it is taken."""
    no_browser: bool = False
    """Do not open the browser."""
    device: DeviceName = "auto"

    def run(self) -> None:
        """Do the work."""
        check_range("--port", self.port, 1, 65_535)
        from triptych.studio.server import app_of, check_installed, free_socket, serve
        from triptych.studio.studio import Studio as Work

        check_installed()
        if self.device != "auto":
            from triptych.runs.device import choose_device

            choose_device(self.device)
        _end_as_after_ctrl_c()
        listening = free_socket(self.host, self.port)
        work = Work(self.out, self.device)
        try:
            work.start()
            shown = f"[{self.host}]" if ":" in self.host else self.host
            address = f"http://{shown}:{listening.getsockname()[1]}"
            if listening.getsockname()[1] != self.port:
                console.note(f"port {self.port} is taken; this is the next free one")
            is_local = self.host in _LOOPBACK
            if not is_local:
                console.warn(
                    f"everyone who reaches {self.host} can use this studio and see what is made: "
                    "there is no password"
                )
            console.result(address)
            console.note(f"results go to {self.out}; Ctrl-C ends the studio")
            if not self.no_browser:
                _open(address)
            with suppress(KeyboardInterrupt):
                serve(app_of(work, _LOOPBACK if is_local else None), listening)
        finally:
            listening.close()
            work.close()


def _end_as_after_ctrl_c() -> None:
    """Let those who end services and close terminals end the studio as Ctrl-C does."""
    for name in ("SIGTERM", "SIGHUP"):  # the second is not on Windows
        with suppress(AttributeError):
            signal.signal(getattr(signal, name), signal.default_int_handler)


def _open(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        console.note(f"no browser was found; open {address} in any browser with WebGL2")
