"""What README, docs and the rooms' READMEs tell people exists: commands, options, names, links."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown.extensions.toc import slugify

import triptych
from triptych.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
ROOMS = sorted((ROOT / "src").rglob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS, *ROOMS]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
HISTORY = ROOT / "CHANGELOG.md"  # names what was renamed since
OPTIONS = json.loads((ROOT / "tests/cli/frozen_options.json").read_text())


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `triptych` of every command in code blocks and in running text."""
    for block in [*blocks(text, ""), *re.findall(r"`([^`\n]+)`", text)]:
        typed = ""
        for line in block.replace("\\\n", " ").splitlines():
            typed += line.strip()
            try:
                words = shlex.split(typed, comments=True)
            except ValueError:  # a quoted text goes on in the next line
                continue
            typed = ""
            if words[:1] == ["triptych"] and "|" not in words[1:]:
                yield words[1:] or ["--help"]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_have_the_options_that_are_typed(page):
    for words in commands("" if page == HISTORY else page.read_text()):
        if words[0] in ("--help", "--version", "VERB"):
            continue
        assert words[0] in VERBS, words
        command = " ".join(words[:2]) if " ".join(words[:2]) in OPTIONS else words[0]
        typed = {word.split("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert typed <= set(OPTIONS[command]), words


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_python_samples_use_names_that_exist(page):
    for sample in blocks(page.read_text(), "python"):
        tree = ast.parse(sample)
        imported = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)
                imported |= {name.name for name in node.names}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert imported <= used, "a name is imported and not used"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "triptych":
                assert hasattr(triptych, node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_pages_pictures_and_headings_that_are_linked_exist(page):
    for target, heading in re.findall(
        r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", without_code(page.read_text())
    ):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if heading:
            assert heading in headings(linked.read_text()), f"{target}#{heading}"


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the site and code hosts make them."""
    lines = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {slugify(re.sub(r"[`*]|\]\([^)]*\)|\[", "", line), "-") for line in lines}


def site() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def listed(nav: list[dict[str, Any]]) -> Iterator[str]:
    """Yield every page of a navigation."""
    for entry in nav:
        for where in entry.values():
            yield from [where] if isinstance(where, str) else listed(where)


def test_navigation_lists_every_page_once():
    systems = (room.parent for room in ROOMS if room.name == "README.md")
    elsewhere = {f"systems/{room.name}.md" for room in systems if room.parent.name == "systems"}
    elsewhere |= {"changelog.md", "contributing.md", "models.md"}
    pages = sorted(listed(site()["nav"]))
    written = {str(page.relative_to(ROOT / "docs")) for page in DOCS} | elsewhere
    assert pages == sorted(written), "mkdocs.yml lists other pages than there are"


def test_site_asks_nothing_of_other_servers():
    assert site()["theme"]["font"] is False
    assert not {"extra_javascript", "extra_css", "extra"} & site().keys()


def test_reference_has_every_public_name():
    written = "".join(page.read_text() for page in (ROOT / "docs/reference").glob("*.md"))
    shown = re.findall(r"^::: (\S+)$", written, re.MULTILINE)
    for name in shown:
        module, _, last = name.rpartition(".")
        assert hasattr(importlib.import_module(module), last), name
    public = set(triptych.__all__) - {"__version__"}
    assert public <= {name.rpartition(".")[2] for name in shown}


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    done = subprocess.run([*command, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?:[^\" >]+)", page.read_text()
        )
        assert loaded == [], page


def test_the_samples_are_found():
    pages = [page.read_text() for page in PAGES]
    assert sum(len(blocks(page, "python")) for page in pages) >= 10
    assert sum(len(list(commands(page))) for page in pages) >= 150
