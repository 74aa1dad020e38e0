"""Pages of portraits: where they are kept, and opening them in a browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from triptych.errors import UserError
from triptych.files import make_writable_folder, sha256_of, user_cache_folder

_FOLDER = "pages"


def cached_page(portrait_file: Path) -> Path:
    """Return the page's file in the cache folder, named by what the portrait's file holds."""
    folder = user_cache_folder() / _FOLDER
    make_writable_folder(folder)
    return folder / f"{portrait_file.stem}-{sha256_of(portrait_file)[:12]}.html"


def open_page(file: Path) -> None:
    """Open a page in the user's browser.

    Raises:
        UserError: There is none.
    """
    if not webbrowser.open(file.absolute().as_uri()):
        raise UserError(f"no browser was found; open {file} in any browser with WebGL2")
