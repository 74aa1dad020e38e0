"""Pages of the site that live elsewhere in the repository, and links between them and docs/.

On the site each system's README is systems/NAME.md; links stay as they are written, for readers of
the repository, and are turned to the site's addresses when it is built.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "models.md": "src/triptych/weights/embedded/MODELS.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def repository_pages() -> dict[str, Path]:
    """Return the file of each page of the site that is not in docs/."""
    rooms = {
        f"systems/{readme.parent.name}.md": readme
        for readme in sorted(ROOT.glob("src/triptych/systems/*/README.md"))
    }
    return rooms | {page: ROOT / file for page, file in ELSEWHERE.items()}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for page, file in repository_pages().items():
        files.append(File.generated(config, page, abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links within the repository into links within the site."""
    site = {Path(file.abs_src_path): file.src_uri for file in files if file.abs_src_path}
    folder = Path(page.file.abs_src_path).parent
    here = posixpath.dirname(page.file.src_uri)

    def on_the_site(link: re.Match[str]) -> str:
        text, target, anchor = link[1], (folder / link[2]).resolve(), link[3] or ""
        if target in site:
            return f"[{text}]({posixpath.relpath(site[target], here or '.')}{anchor})"
        # a file of the repository that is no page: its name is all that can be said
        return text if target.is_relative_to(ROOT) and target.exists() else link[0]

    return _LINK.sub(on_the_site, markdown)
